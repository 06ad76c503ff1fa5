// Another top module that ends a simulation in its first time step: what is measured then is the start.
module stop_at_once;
  initial $finish;
endmodule
