// A square of small elements, each tied to its western and northern neighbour: many equal parts with little in each.
//
// An element multiplies what comes from its neighbours, accumulates, and hands on one cycle later what came.
module element (
    input             clk,
    input             reset,
    input      [ 7:0] west,
    input      [ 7:0] north,
    output reg [ 7:0] east,
    output reg [ 7:0] south,
    output reg [31:0] total
);
  wire [15:0] product = west * north;

  always @(posedge clk) begin
    if (reset) begin
      total <= 0;
      east  <= 0;
      south <= 0;
    end else begin
      east  <= west;
      south <= north;
      if (west[0] | north[1]) total <= total + product + (total >> 3);
      else total <= {total[30:0], total[31]} ^ {product, product};
    end
  end
endmodule

module element_array #(
    parameter N = 32
) (
    input         clk,
    input         reset,
    output [31:0] hash
);
  wire [ 7:0] across[0:N-1][0:N];
  wire [ 7:0] down  [0:N][0:N-1];
  wire [31:0] totals[0:N*N];
  reg  [31:0] seed;
  reg  [31:0] mixed;

  always @(posedge clk) begin
    if (reset) seed <= 1;
    else seed <= {seed[30:0], seed[31] ^ seed[21] ^ seed[1] ^ seed[0]};
  end

  assign totals[0] = 0;

  genvar i, j;
  generate
    for (i = 0; i < N; i = i + 1) begin : rows
      assign across[i][0] = seed >> (i % 24);
      assign down[0][i]   = seed >> ((i * 7) % 24);

      for (j = 0; j < N; j = j + 1) begin : columns
        element element (
            .clk  (clk),
            .reset(reset),
            .west (across[i][j]),
            .north(down[i][j]),
            .east (across[i][j+1]),
            .south(down[i+1][j]),
            .total(totals[i*N+j+1])
        );
      end
    end
  endgenerate

  always @(posedge clk) begin
    if (reset) mixed <= 0;
    else mixed <= {mixed[30:0], mixed[31]} ^ totals[N*N] ^ totals[17];
  end

  assign hash = mixed;
endmodule
