"""Random sequences, and what a simulation makes of them (IEEE 1800-2023 18.17)."""

from __future__ import annotations

RANDOM_SEQUENCES: dict[str, tuple[str, str]] = {
    "random sequences call productions with values and by themselves": (
        """
        module t;
          typedef struct packed { logic [3:0] a; logic [3:0] b; } pair;
          pair result;
          function automatic int sum(int start);
            int total = 0;
            randsequence(main)
              main : tree(start) { total = tree; };
              int tree(int d) : { if (d == 0) return 1; } tree(d - 1) tree(d - 1) { return tree[1] + tree[2] + d; };
            endsequence
            return total;
          endfunction
          initial begin
            $display("%0d", sum(3));
            randsequence(m)
              m : p(.hi(4'h3)) q { result = p; $display("%h %0d %m", result, q); };
              pair p(input [3:0] hi, lo = 4'h9) : { int z = 1; z++; return '{hi, lo}; };
              int q : { fork #5 $display("forked"); join_none return 5; };
            endsequence
          end
        endmodule
        """,
        "19\n39 5 t\nforked\n",
    ),
    "random sequences wait, repeat and choose": (
        """
        module t;
          `define TWICE(what) repeat (2) what
          task automatic waits(string s);
            randsequence(top)
              top : `TWICE(step("x")) case (s) "a", "b": step({s, "!"}); default: other; endcase;
              step(string w) : { #1 $display("%0t %s %s", $time, s, w); };
              other : if (s.len() > 1) long else short;
              long : { $display("long"); };
              short : { $display("short"); };
            endsequence
          endtask
          initial fork waits("a"); waits("cc"); waits("c"); join
        endmodule
        """,
        "1 a x\n1 cc x\n1 c x\n2 a x\n2 cc x\nlong\n2 c x\nshort\n3 a a!\n",
    ),
    "random sequences weigh their rules": (
        """
        module t;
          class gen;
            int seen[string];
            function void go(int limit, int none = 0);
              int count;
              randsequence(s)
                s : repeat (1000) pick;
                pick : one := 1 { count++; if (count > limit) break; } | two := (limit - 17)
                  | none := none { $display("never"); };
                one : { seen["one"]++; };
                two : { seen["two"]++; };
                none : { seen["none"]++; };
              endsequence
            endfunction
          endclass
          gen g;
          initial begin
            g = new; g.go(20);
            $display("%0d %b %0d", g.seen["one"], g.seen["two"] inside {[30:120]}, g.seen.exists("none"));
          end
        endmodule
        """,
        "20 1 0\n",
    ),
    "return and break end productions and random sequences": (
        """
        module t;
          int n = 0; string word;
          initial begin
            for (int flag = 0; flag < 3; flag++) begin
              word = "";
              randsequence()
                TOP : P1 P2;
                P1 : A B C;
                P2 : A { if (flag == 1) return; } B C;
                A : { word = {word, "A"}; };
                B : { if (flag == 2) return; word = {word, "B"}; };
                C : { word = {word, "C"}; };
              endsequence
              $display("%0d %s", flag, word);
            end
            randsequence(outer)
              outer : inner inner { for (int i = 0; i < 5; i++) begin if (i == 2) break; n += 100; end };
              inner : {
                randsequence(x)
                  x : y y y; y : { n++; if (n % 2 == 0) return; n += 10; if (n > 50) break; };
                endsequence
              };
            endsequence
            $display("%0d", n);
          end
        endmodule
        """,
        "0 ABCABC\n1 ABCA\n2 ACAC\n236\n",
    ),
    "rand join keeps the order of each production": (
        """
        module t;
          string word; int seen[string];
          initial begin
            repeat (200) begin
              word = "";
              randsequence(t)
                t : rand join S1 S2;
                S1 : A B; S2 : C D;
                A : { word = {word, "A"}; }; B : { word = {word, "B"}; };
                C : { word = {word, "C"}; }; D : { word = {word, "D"}; };
              endsequence
              seen[word]++;
            end
            foreach (seen[i]) $write("%s ", i);
            $display;
            for (int i = 0; i < 3; i += 2) begin
              int first;
              seen.delete();
              repeat (100) begin
                word = "";
                randsequence(t)
                  t : both { seen[word]++; };
                  both : rand join (i * 0.5) s1(4) s2;
                  s1(int v) : A(v) B;
                  s2 : C D;
                  A(int v) : { word = {word, "A"}; first = v; }; B : { word = {word, "B"}; };
                  C : { word = {word, "C"}; }; D : { word = {word, "D"}; };
                endsequence
              end
              foreach (seen[i]) $write("%s ", i);
              $display("%0d", first);
            end
          end
        endmodule
        """,
        "ABCD ACBD ACDB CABD CADB CDAB \nABCD CDAB 4\nACBD ACDB CABD CADB 4\n",
    ),
}
