`timescale 1ns/1ns
primitive dff(q, clk, d);
  output q; reg q; input clk, d;
  initial q = 1;
  table
    r 0 : ? : 0; r 1 : ? : 1; (0x) 1 : 1 : 1; (0x) 0 : 0 : 0; n ? : ? : -; ? * : ? : -;
  endtable
endprimitive
primitive mux(o, a, b, s);
  output o; input a, b, s;
  table
    0 ? 0 : 0; 1 ? 0 : 1; ? 0 1 : 0; ? 1 1 : 1; 0 0 x : 0; 1 1 x : 1;
  endtable
endprimitive
primitive latch(q, e, d);
  output q; reg q; input e, d;
  table
    1 0 : ? : 0; 1 1 : ? : 1; 0 ? : ? : -;
  endtable
endprimitive
module sub(inout [3:0] p, inout q);
  assign p[0] = 1;
  pullup (q);
endmodule
module t;
  reg a, b, s, clk, d, drv, en;
  wire q, o, q2, l, k, g, n1, t1, t2, t3, cm, z, zn;
  wire [1:0] hi, lo;
  integer i;
  dff f(q, clk, d);
  mux m(o, a, b, s);
  dff #(3,5) f2(q2, clk, d);
  latch la(l, clk, d);
  sub u(.p({hi, lo}), .q(k));
  bufif0 (k, drv, en);
  assign hi = {drv, en};
  and #(1,2) (g, a, b);
  nmos #(1,2,3) (n1, drv, en);
  tranif1 #(3,4) (t1, t2, en);
  assign t1 = drv;
  rtranif0 (t1, t3, s);
  cmos (cm, drv, en, s);
  bufif1 #(2,3,4) (z, drv, en);
  notif0 (zn, drv, en);
  initial begin
    {a, b, s, clk, d, drv, en} = 0;
    for (i = 0; i < 400; i = i + 1) begin
      #1;
      case ($random % 8)
        0, -1: a = $random; 1, -2: b = $random; 2, -3: s = $random % 3 == 0 ? 1'bx : $random; 3: clk = ~clk;
        4, -4: d = $random % 5 == 0 ? 1'bx : $random; 5, -5: drv = $random % 5 == 0 ? 1'bz : $random;
        6, -6: en = $random % 5 == 0 ? 1'bx : $random; default: clk = clk === 1'bx ? 0 : 1'bx;
      endcase
      #0 #0;
      if (i % 3 == 0) begin
        #5;
        $display("%0d q=%b o=%b q2=%b l=%b hi=%v lo=%v k=%v g=%b n1=%v t2=%v t3=%v cm=%v z=%v zn=%b",
          i, q, o, q2, l, hi, lo, k, g, n1, t2, t3, cm, z, zn);
      end
    end
  end
endmodule
