module sub(input [1:0] i, inout [3:0] io, output [1:0] o); assign io[3] = i[0]; assign o = io[1:0]; endmodule
module pass(inout a, inout a2); tran az(a, a2); endmodule
module t;
  wire [7:0] x; wire [3:0] hi, lo; tran ax[7:0] (x, {hi, lo});
  tran ay(hi[0], lo[3]);
  reg [3:0] h; reg [2:0] l; assign hi = h; assign lo[2:0] = l;
  wire p, q; pass pp(p, q); assign p = h[1];
  wire [1:0] oo; wire [7:0] bus; sub s1({h[0], l[0]}, bus[3:0], oo), s2(l[1:0], {bus[4], bus[6], bus[5], bus[7]}, );
  assign bus[0] = h[2]; 
  wire [3:0] arr [0:2]; assign arr[0] = h; assign arr[1][1:0] = l; assign arr[1] = 4'bz; assign (pull1,pull0) arr[0] = ~h; 
  uwire u; assign u = h[0];
  wire (weak1, weak0) ww = h[3];
  tri [3:0] tr; assign tr = h[0] ? h : 4'bz; assign tr = l[0] ? {1'b0, l} : 4'bz;
  integer i;
  initial begin
   for (i = 0; i < 128; i = i + 1) begin {h, l} = i; #1 $display("%b %b x=%v hi=%v lo=%v p=%v q=%v oo=%b bus=%v arr=%v %v %v u=%v ww=%v tr=%v", h, l, x, hi, lo, p, q, oo, bus, arr[0], arr[1], arr[2], u, ww, tr); end
   force p = 1'bx; #1 $display("%v %v", p, q); release p; #1 $display("%v %v", p, q);
   force x[3] = 0; h = 15; #1 $display("%v %v %v", x, hi, lo); h = 0; l = 7; #1 $display("%v %v %v", x, hi, lo); release x[3]; #1 $display("%v %v %v", x, hi, lo);
   force ww = 1; #1 $display("%v", ww); h = 8; #1 $display("%v", ww); h = 0; release ww; #1 $display("%v", ww);
   force bus = 8'ha5; #1 $display("%b %b", bus, oo); release bus[3:0]; #1 $display("%b %b", bus, oo);
  end
endmodule
