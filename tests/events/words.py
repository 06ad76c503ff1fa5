"""Arrays and structs of strings, reals, containers and handles: as variables, arguments and properties."""

WORDS = {
    "always waits for an event of an object": (
        """
        module t;
         class K; event done; int n = 0; endclass
         event a; K k = new;
         always @(a) $display("a at %0t", $time);
         always @(k.done or a) $display("done or a at %0t", $time);
         always @(k.n) $display("n is %0d", k.n);
         initial begin #1 -> a; #1 -> k.done; #1 k.n = 5; #1 -> a; #1; end
        endmodule
        """,
        """\
a at 1
done or a at 1
done or a at 2
n is 5
a at 4
done or a at 4
""",
    ),
    "events are compared with null": (
        """
        module t;
         event a, b, c = null, list[2];
         class K; event own, none = null; endclass
         K k = new;
         function automatic void tell(string name, event e);
          $display("%s %b %b %b", name, e == null, null != e, e === null);
         endfunction
         function automatic event pick(bit which); return which ? a : null; endfunction
         always @(a) $display("a at %0t", $time);
         initial begin
          tell("a", a); tell("c", c); tell("own", k.own); tell("none", k.none); tell("list", list[1]);
          b = null; tell("b", b); if (b) $display("b is there"); else $display("no b"); if (!b) $display("still none");
          if (a) $display("a is there");
          -> b; c = b; b = a; tell("b", b); $display("%b %b", a == b, a != c);
          list[0] = null; tell("list 0", list[0]); tell("pick", pick(0)); tell("pick", pick(1));
          #1 -> b; #1 -> k.none; c = a; tell("c", c); #1 -> c;
          #1;
         end
        endmodule
        """,
        """\
a 0 1 0
c 1 0 1
own 0 1 0
none 1 0 1
list 0 1 0
b 1 0 1
no b
still none
a is there
b 0 1 0
1 1
list 0 1 0 1
pick 1 0 1
pick 0 1 0
a at 1
c 0 1 0
a at 3
""",
    ),
    "arrays of words are properties": (
        """
        class bag;
          int queues[3:0][$]; string names[2]; real r[2]; int d[2][]; int aa[2][string]; bag kids[2];
          mailbox #(int) mb[2];
          function int get(int id); if (queues[id].size() == 0) return -1; return queues[id][0]; endfunction
        endclass
        module t;
          bag o = new; int v, k = 1; string s;
          initial begin
            o.queues[1].push_back(5); o.queues[1].push_back(6); o.queues[2].push_back(7);
            $display("%0d %0d %0d %0d", o.queues[k].size(), o.queues[1][1], o.get(2), o.get(0));
            foreach (o.queues[i,j]) $display("%0d %0d", i, j);
            void'(o.queues[k].pop_front()); o.queues[0] = '{1, 2, 3}; o.queues[0].delete(1); $display("%p", o.queues);
            o.names[k] = "abc"; o.names[0] = {o.names[1], "d"}; o.names[k].putc(0, "z");
            $display("%s %s %0d %p", o.names[0], o.names[k], o.names[k].len(), o.names);
            o.r[k] = 2.5; o.r[0] = o.r[k] * 2; $display("%p", o.r);
            o.d[k] = new[3]; o.d[k][2] = 9; o.d[0] = o.d[1]; o.d[0][0] = 4; $display("%p %0d", o.d, o.d[k].sum());
            o.aa[k]["x"] = 3; o.aa[0]["y"] = 4; $display("%0d %0d", o.aa[k].exists("x"), o.aa[1].exists("y"));
            if (o.aa[k].first(s)) $display("%s", s);
            o.kids[k] = new; o.kids[k].queues[0].push_back(11); $display("%0d", o.kids[1].queues[0][0]);
            o.mb[k] = new; o.mb[k].put(3); o.mb[k].get(v); $display("%0d %0d", v, o.mb[1].num());
            o.queues[k] = o.queues[2]; o.queues[k].push_front(1); o.queues[k].sort with (-item);
            o.queues[k][1] += 5; $display("%p", o.queues[k]);
            v = $sscanf("17 foo", "%d %s", o.queues[k][0], o.names[k]);
            $display("%0d %p %s", v, o.queues[k], o.names[1]);
            $sformat(o.names[0], "%s-%s", o.names[1], "x"); $display("%s", o.names[0]);
          end
        endmodule
        """,
        (
            "2 6 7 -1\n2 0\n1 0\n1 1\n'{'{}, '{7}, '{6}, '{1, 3}}\nabcd zbc 3 '{\"abcd\", \"zbc\"}\n'{5, 2.5}\n"
            "'{'{4, 0, 9}, '{0, 0, 9}} 9\n1 0\nx\n11\n3 0\n'{7, 6}\n2 '{17, 6} foo\nfoo-x\n"
        ),
    ),
    "file names are vectors or strings": (
        """
        module t;
          reg [1023:0] wide = "/dev/null"; reg [71:0] exact = "/dev/null"; string name = "/dev/null"; integer f;
          initial begin
            f = $fopen(wide, "w"); $display("%b", f != 0); f = $fopen(exact); $display("%b", f != 0);
            f = $fopen(name, "w"); $display("%b", f != 0); $display("%0d", $test$plusargs(wide));
          end
        endmodule
        """,
        ("1\n1\n1\n0\n"),
    ),
    "structs hold words": (
        """
        typedef struct { int q[$]; string name; real r; } part;
        class bag; part one, many[2]; endclass
        module t;
          bag o = new, none; part m[2]; string names[2]; int queues[2][$], k = 1;
          initial begin
            o.one.q.push_back(3); o.one.name = "n"; o.one.r = 0.5; $display("%p %0d", o.one, o.one.q.size());
            o.many[k].q.push_back(4); o.many[k].name = {o.one.name, "2"}; o.many[0] = o.many[k];
            o.many[0].q.push_back(5); $display("%p", o.many);
            foreach (o.many[i]) foreach (o.many[i].q[j]) $display("%0d %0d %0d", i, j, o.many[i].q[j]);
            m[k].q = '{7, 8}; m[0] = m[k]; m[0].q.delete(0); $display("%0p %0d", m, m[k].q.sum());
            names[1] = "x"; queues[1].push_back(2); foreach (queues[i,j]) $display("%0d %0d", i, j);
            $display("%p %p %p", names, queues, none);
          end
        endmodule
        """,
        (
            "'{q:'{3}, name:\"n\", r:0.5} 1\n"
            "'{'{q:'{4, 5}, name:\"n2\", r:0}, '{q:'{4}, name:\"n2\", r:0}}\n0 0 4\n0 1 5\n1 0 4\n"
            "'{'{q:'{8},name:\"\",r:0},'{q:'{7,8},name:\"\",r:0}} 15\n1 0\n'{\"\", \"x\"} '{'{}, '{2}} null\n"
        ),
    ),
    "virtual interfaces of a type that has another name": (
        """
        interface bus #(type T = logic); T data; logic valid; endinterface
        class driver #(type T = logic);
          virtual bus #(.T(T)) stream;
          function new(virtual bus #(.T(T)) stream); this.stream = stream; endfunction
          function void send(T value); stream.data = value; stream.valid = 1; endfunction
        endclass
        module t;
          typedef logic [7:0] byte_t;
          bus #(.T(byte_t)) b();
          driver #(byte_t) d = new(b);
          initial begin d.send(7); $display("%0d %b", b.data, b.valid); end
        endmodule
        """,
        ("7 1\n"),
    ),
    "tagged unions print the member that they hold": (
        """
        module t;
          typedef union tagged { void none; bit [3:0] valid; struct packed { bit a; bit [1:0] b; } pair; } value;
          typedef union tagged packed { bit [3:0] x; bit [3:0] y; } packed_value;
          value v, row[2]; struct { int n; value m; } s; packed_value p;
          initial begin
            $display("%p", v);
            v = tagged valid (10); $display("%p %0p", v, v);
            v = tagged pair '{1, 2}; $display("%p", v);
            v = tagged none; row[0] = tagged valid 3; row[1] = v; $display("%p", row);
            s.n = 4; s.m = tagged valid 7; $display("%0p", s);
            p = tagged y 4'd9; $display("%p %b", p, p);
          end
        endmodule
        """,
        "'{none}\n"
        "'{valid:10} '{valid:10}\n"
        "'{pair:'{a:1, b:2}}\n"
        "'{'{valid:3}, '{none}}\n"
        "'{n:4,m:'{valid:7}}\n"
        "'{y:9} 11001\n",
    ),
}
