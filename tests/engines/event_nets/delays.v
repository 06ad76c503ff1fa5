module t;
  reg drv, en, s;
  trireg (large) #(0,0,20) cap;
  trireg (small) c2;
  trireg m;
  wire #(2,3,4) dl;
  wire [3:0] #2 dv;
  reg [7:0] wait_for = 5;
  wire #(wait_for) dw;
  nmos (cap, drv, en);
  tranif1 (cap, c2, s);
  assign dl = en ? drv : 1'bz;
  assign dv = {4{drv}};
  assign m = en ? drv : 1'bz;
  assign dw = s;
  task show; $display("%0t cap=%v c2=%v dl=%v dv=%b m=%v dw=%b", $time, cap, c2, dl, dv, m, dw); endtask
  initial begin
    s = 0; drv = 1; en = 1;
    #1 show; #1 #0 show;
    #8 s = 1; #1 show;
    #4 en = 0; #1 show; #2 show; #1 #0 show; #15 show; #1 #0 show;
    #10 s = 0; drv = 0; en = 1; #1 show; #2 #0 show;
    wait_for = 2; #10 s = 1; en = 0; #1 show; #1 #0 show; #2 #0 show;
    en = 1; #1 drv = 1; #1 drv = 0; #10 show;
  end
endmodule
