module cell_(inout bl, inout blb, input wl);
  reg q; wire qn = ~q; initial q = 0;
  tranif1 (bl, s, wl); tranif1 (blb, sb, wl);
  wire s, sb; assign (pull0, pull1) s = q; assign (pull0, pull1) sb = qn;
  always @(s) if (wl && s !== 1'bx) q = s;
endmodule
module row #(parameter N = 4) (inout [N-1:0] bl, inout [N-1:0] blb, input wl);
  genvar i; generate for (i = 0; i < N; i = i + 1) begin : g cell_ c(bl[i], blb[i], wl); end endgenerate
endmodule
module drv(inout [7:0] bus, input oe, input [7:0] d);
  assign bus = oe ? d : 8'bz;
endmodule
module pad(inout p, input o, input oe, output i); bufif1 (p, o, oe); buf (i, p); endmodule
module t;
  wire [3:0] bl, blb; reg [7:0] wl; reg [3:0] w; reg we, pre; integer i;
  genvar k; generate for (k = 0; k < 8; k = k + 1) begin : rr row r(bl, blb, wl[k]); end endgenerate
  assign bl = we ? w : 4'bz; assign blb = we ? ~w : 4'bz;
  assign (weak0, weak1) bl = pre ? 4'hf : 4'bz; assign (weak0, weak1) blb = pre ? 4'hf : 4'bz;
  wire [15:0] bus; reg [3:0] oe; reg [7:0] d0, d1, d2;
  drv x0(bus[15:8], oe[0], d0), x1(bus[15:8], oe[1], d1), x2(bus[7:0], oe[2], d2), x3({bus[0],bus[7:1]}, oe[3], d0);
  wire [1:0] pads; reg [1:0] po, poe; wire [1:0] pi; pad pp[1:0](pads, po, poe, pi); pullup (pads[0]); pulldown (pads[1]);
  initial begin
    wl = 0; we = 0; pre = 1; oe = 0; d0 = 8'h5a; d1 = 8'hf0; d2 = 8'h3c; po = 2'b10; poe = 0;
    for (i = 0; i < 8; i = i + 1) begin
      w = i * 5; #1 we = 1; #1 wl[i] = 1; #1 wl[i] = 0; #1 we = 0;
    end
    for (i = 0; i < 8; i = i + 1) begin #1 wl[i] = 1; #1 $display("%b %b %v", bl, blb, bl); wl[i] = 0; #1 $display("%b", bl); end
    for (i = 0; i < 16; i = i + 1) begin oe = i; poe = i; po = ~i >> 1; #1 $display("%b %b %b %v %b", oe, bus, pads, pads, pi); end
    force x0.bus[3] = 1'b0; #1 $display("%b %b %b", bus, x0.bus, x1.bus); force x1.bus[7:4] = 4'b1x0z; #1 $display("%b", bus);
    release x0.bus[3]; release x1.bus[7:4]; #1 $display("%b %b %b", bus, x0.bus, x1.bus);
    force rr[3].r.bl = 4'b0011; #1 $display("%b", bl); release rr[3].r.bl; #1 $display("%b", bl);
  end
endmodule
