module t;
  reg a, b, c;
  wire w1, w2; wand wa; wor wo; tri0 t0; tri1 t1; supply0 gnd; supply1 vdd;
  assign (pull0, pull1) w1 = a; assign w1 = b;
  assign wa = a; assign wa = b; assign wo = a; assign wo = b;
  assign t0 = a; assign t1 = b;
  bufif1 (w2, a, c); pulldown (w2);
  wire n; nmos (n, a, c); wire p; pmos (p, b, c);
  wire x, y; tranif1 (x, y, c); assign x = a; assign (weak0, weak1) y = b;
  wire bx, by, bz; tran (bx, by); rtran (by, bz); assign bx = a; assign (pull1, pull0) bz = b;
  integer i;
  initial begin
    for (i = 0; i < 64; i = i + 1) begin
      a = (i & 3) == 0 ? 0 : (i & 3) == 1 ? 1 : (i & 3) == 2 ? 1'bx : 1'bz;
      b = (i>>2 & 3) == 0 ? 0 : (i>>2 & 3) == 1 ? 1 : (i>>2 & 3) == 2 ? 1'bx : 1'bz;
      c = (i>>4 & 3) == 0 ? 0 : (i>>4 & 3) == 1 ? 1 : (i>>4 & 3) == 2 ? 1'bx : 1'bz;
      #1 $display("%b%b%b w1=%v w2=%v wa=%v wo=%v t0=%v t1=%v n=%v p=%v xy=%v %v b=%v %v %v", a,b,c,w1,w2,wa,wo,t0,t1,n,p,x,y,bx,by,bz);
      $display("%b%b%b w1=%b w2=%b wa=%b wo=%b t0=%b t1=%b n=%b p=%b xy=%b %b b=%b %b %b", a,b,c,w1,w2,wa,wo,t0,t1,n,p,x,y,bx,by,bz);
    end
    $display("%v %v", gnd, vdd);
  end
endmodule
