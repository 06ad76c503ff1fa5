"""State files of testbenches: another process goes on as the first one would have."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import weft
from weft.sim.engine import Stop
from weft.sim.event_snapshot import load

OBJECTS = """
class Base; rand bit [7:0] size; int id; function new(int n); id = n; endfunction
  virtual function int twice(); return 2 * id; endfunction endclass
class Packet extends Base; string tag; int parts[$]; randc bit [1:0] turn; function new(int n); super.new(n);
  tag = $sformatf("p%0d", n); parts = '{n, n + 1}; endfunction
  virtual function int twice(); return 2 * id + parts.size(); endfunction endclass
module t;
  string log = ""; int q[$]; int map[string]; int by[Base]; mailbox #(int) box = new(2); semaphore key = new(1);
  Base p; Packet first = new(100); event ping; integer s = 4; reg [7:0] late = 0; real r = 0.5; int dyn[] = new[3];
  process worker;
  task automatic slow(input int n, output int m); int kept = n * 3; #5 kept++; #4 m = kept; endtask
  always begin box.put(s); #3; end
  always begin int got; box.get(got); q.push_back(got); s = s + 1; map[$sformatf("k%0d", got)] = got; #4; end
  always begin Packet made; #5 made = new(s); p = made; void'(p.randomize()); by[p] = s; dyn[s % 3] = s; r = r * 1.5;
    log = {log, $sformatf("%0d.%0d.%0d.%0d,", p.id, p.size, p.twice(), made.turn)}; -> ping; end
  always @ping begin key.get(); fork begin #6 key.put(); end join_none late <= #7 p.size; end
  always begin int m; fork slow(s, m); begin #2; end join #1 log = {log, $sformatf("<%0d>", m)}; end
  initial begin worker = process::self(); forever #7 log = {log, "w"}; end
  initial begin #30 worker.suspend(); #60 worker.resume(); end
  always #10 begin
    $display("%0t %s %p %0d %0d %h %0d", $time, log, q, map.num(), late, $random, $urandom);
    $display("%p %0d %g %s %s", dyn, by.num(), r, first.tag, worker.status().name());
  end
endmodule
"""
NETS = """`timescale 1ns/1ps
module cell_(output y, input a, b); nand #(2, 3) g(y, a, b); endmodule
module t;
  reg [3:0] a = 0; wire [3:0] y; wire pulled; tri1 up; reg en = 0; trireg #(0, 0, 5) held; wand w;
  genvar i; for (i = 0; i < 4; i = i + 1) cell_ c(y[i], a[i], a[(i + 1) % 4]);
  assign (weak0, weak1) pulled = a[0]; bufif1 (pull0, strong1) b(pulled, a[1], en); bufif0 u(up, a[2], en);
  nmos n(held, a[3], en); assign w = a[0]; assign #4 w = a[1]; wire #3 d = ^y;
  always #7 a = a + 3; always #13 en = ~en; reg f = 0; reg [7:0] count = 0;
  always @(posedge en) begin count <= #20 count + 1; if (count == 2) force w = 1; if (count == 5) release w; end
  property late; @(posedge en) a[0] |=> ##[1:3] a[1]; endproperty
  assert property (late) else $display("%0t late", $time);
  covergroup cg @(posedge en); coverpoint a; endgroup cg c = new;
  always @(y or pulled or up or held or w or d) $strobe("%0t %b %v %b %v %b %b", $time, y, pulled, up, held, w, d);
  always #100 $display("%0d %g", count, c.get_coverage());
  initial $monitor("%0t %b", $time, en);
endmodule
"""
FILES = """module t; integer out, in, c, n = 0, append; string line;
  initial begin
    out = $fopen("out.log", "w"); append = $fopen("app.log", "a"); in = $fopen("in.txt", "r"); c = $fgetc(in);
    c = $ungetc("Z", in); $fdisplay(append, "begin");
    forever #10 begin n = n + 1; void'($fgets(line, in)); $fwrite(out, "%0d %s", n, line); $fdisplay(append, n); end
  end
  initial $timeformat(-12, 2, "ps", 12);
  always #30 $display("%t %0d", $time, $ftell(in));
endmodule
"""
RUN = """
import sys, weft
name, state, begin, middle, end = sys.argv[1:6]
printed = []
begins = {"state": state, "cache": False} if begin == "load" else {}
sim = weft.compile(name, engine="event", output=printed.append, seed=7, **begins)
if begin == "save":
    sim.run_until(middle)
    sim.save(state)
    del printed[:]
sim.run_until(end)
sys.stdout.buffer.write(b"".join(printed))
sim.close()
"""


def run(*words, hash_seed="1"):
    command = [sys.executable, "-c", RUN, *words]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(command, capture_output=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_another_process_goes_on(here):
    for name, text, middle, end in (("objects.sv", OBJECTS, "52ns", "203ns"), ("nets.sv", NETS, "161ns", "1us")):
        Path(name).write_text(text)
        first = run(name, "state", "save", middle, end)
        assert first.count("\n") > 20
        assert run(name, "state", "load", middle, end, hash_seed="2") == first


def test_arrays_that_python_has_made_keep_their_types(here):
    # Nothing but `%p` looks at what these return, so the code does not know how it lies.
    Path("types.sv").write_text("""
    module t; byte a[5] = '{3, 1, 3, 1, 2}; shortint other[$] = {7, 8}, few[$]; int found[$];
      initial begin found = a.unique_index; few = other.unique; #20 $display("%p %p", found, few); end
    endmodule
    """)
    for begin in ("save", "load"):
        assert run("types.sv", "state", begin, "10ns", "50ns") == "'{0, 1, 4} '{7, 8}\n"


def test_files_are_opened_again(here):
    Path("files.v").write_text(FILES)
    Path("in.txt").write_text("".join(f"line {i}\n" for i in range(100)))
    first = run("files.v", "state", "save", "52ns", "200ns")
    out, app = Path("out.log").read_text(), Path("app.log").read_text()
    assert "12 line 11" in out and app.endswith("20\n") and first.count("\n") == 5
    for _ in range(2):
        assert run("files.v", "state", "load", "52ns", "200ns", hash_seed="2") == first
        assert (Path("out.log").read_text(), Path("app.log").read_text()) == (out, app)

    def begin(**options):
        return weft.compile("files.v", engine="event", **options)

    Path("out.log").write_text("another\n" * 9)
    with pytest.raises(weft.UserError, match=r"out.log' does not begin with .* in this state \[file-changed\]"):
        begin(state="state")
    assert Path("app.log").read_text() == app, "nothing has been cut"
    Path("out.log").write_text("")
    with pytest.raises(weft.UserError, match=r"out.log', which .* shorter than .* \[file-changed\]"):
        begin(state="state")
    Path("out.log").unlink()
    with pytest.raises(weft.UserError, match=r"out.log', which .* No such file or directory \[no-such-file\]"):
        begin(state="state")
    # Time 0 has emptied the file that the state goes on with.
    sim = begin()
    with pytest.raises(weft.UserError, match="file-changed"):
        sim.load("state")
    sim.run_until("61ns")
    sim.close()


def test_files_go_back_with_a_checkpoint(here):
    text = """module t; integer f, i = 0, other = 0;
      initial begin f = $fopen("x", "w+"); forever #10 begin i = i + 1; $fdisplay(f, "%0d", i); end end
      initial begin #35 other = $fopen("y", "w"); #30 $fclose(f); end
    endmodule"""
    sim = weft.compile(texts={"t.v": text}, engine="event", cache=False)
    sim.run_until("32ns")
    before = sim.checkpoint()
    sim.run_until("100ns")
    assert Path("x").read_text() == "1\n2\n3\n4\n5\n6\n"
    sim.restore(before)
    assert Path("x").read_text() == "1\n2\n3\n"
    sim.run_until("52ns")
    sim.close()
    assert Path("x").read_text() == "1\n2\n3\n4\n5\n"


def compile_objects(printed=None, **options):
    printed = [] if printed is None else printed
    return weft.compile(texts={"o.sv": OBJECTS}, engine="event", cache=False, output=printed.append, seed=7, **options)


def test_a_running_simulation_goes_there(here):
    printed, other_printed = [], []
    sim = compile_objects(printed)
    sim.run_until("52ns")
    sim.save("state")
    del printed[:]
    sim.run_until("103ns")
    first = b"".join(printed)
    del printed[:]
    sim.load("state")
    assert sim.time_fs == 52 * 10**6
    sim.run_until("103ns")
    assert b"".join(printed) == first
    # The same addresses cannot be had twice in a process.
    with pytest.raises(weft.UserError, match=r"the addresses that this state needs are in use .* \[addresses-in-use\]"):
        compile_objects(state="state")
    other = compile_objects(other_printed)
    other.run_until("23ns")
    with pytest.raises(weft.UserError, match="addresses-in-use"):
        other.load("state")
    other.run_until("33ns")
    assert other_printed[-1].startswith(b"'{") and other.time_fs == 33 * 10**6, "it goes on as if nothing had been"
    seen, handle = [], other["s"]
    number = other.watch("s", lambda value: seen.append(int(value)))
    sim.close()
    del sim, other_printed[:]
    other.load("state")
    assert other.run_until("103ns") == Stop.TIME
    assert b"".join(other_printed) == first
    assert seen and seen == sorted(seen) and handle.value == seen[-1]
    other.unwatch(number)
    assert other.watch("s", seen.append) != number


def test_memories_and_conditions_follow(here):
    text = "module t; reg [7:0] m [0:3]; integer i = 0; always #10 begin i = i + 1; m[i % 4] = i; end endmodule"
    sims = [weft.compile(texts={"t.v": text}, engine="event", cache=False) for _ in range(2)]
    sims[0].run_until("42ns")
    sims[0].save("state")
    memory = sims[1].memory("m")
    assert sims[1].run_until("m[1] == 1") == Stop.CONDITION
    sims[0].close()
    del sims[0]
    sims[0].load("state")
    assert memory[0:4].tolist() == [4, 1, 2, 3] and memory.value.tolist() == [4, 1, 2, 3]
    assert sims[0].run_until("m[1] == 5") == Stop.CONDITION and sims[0].time_fs == 50 * 10**6
    memory[2] = 77
    assert sims[0].peek("m[2]" if "m[2]" in sims[0] else "i") == 5 and memory[2] == 77
    with sims[0].trace("t.vcd"):
        sims[0].run_until("60ns")
        sims[0].save("later")
    with sims[0].trace("u.vcd"):
        sims[0].load("later")


def test_optimised_code_makes_no_difference(here):
    sim = compile_objects()
    tier = sim.simulation.engine.second_tier
    sim.run_until("40ns")
    if tier.machine.improve is not None:
        objects = [job.result() for job in tier.machine.modules]
        tier.link(lambda: (b"", objects))
        sim.run_until("52ns")
        assert tier.library is not None and len(sim.simulation.engine.libraries) == 2
    sim.run_until("52ns")
    sim.save("state")
    printed = []
    sim.run_until("203ns")
    sim.close()
    del sim, tier
    assert run_again(printed) and b"".join(printed).count(b"\n") == 30


def run_again(printed):
    sim = compile_objects(printed, state="state")
    sim.run_until("203ns")
    return sim.time_fs == 203 * 10**6


def test_bad_states(here):
    sim = compile_objects()
    sim.run_until("23ns")
    sim.save("state")
    good = Path("state").read_bytes()
    for damage in (good[:-3], good[:40] + b"!" + good[41:], b"hello"):
        Path("state").write_bytes(damage)
        with pytest.raises(weft.UserError, match="bad-state-file"):
            sim.load("state")
    Path("state").write_bytes(good)
    other = OBJECTS.replace('string log = ""', 'string log = "-"')
    for options in ({"texts": {"o.sv": other}}, {"texts": {"o.sv": OBJECTS}, "delays": "none"}):
        with pytest.raises(weft.UserError, match=r"belongs to another design, or to another version of this one"):
            weft.compile(engine="event", cache=False, state="state", **options)
    with pytest.raises(weft.UserError, match="no-such-file"):
        sim.load("none")
    with pytest.raises(weft.UserError, match="cannot-write"):
        sim.save("no/folder")
    with pytest.raises(pickle.UnpicklingError, match=r"posix.system is no part of a state"):
        load(pickle.dumps(os.system))


def test_a_state_of_cycles_is_begun_in(here):
    text = {"m.v": "module m(input clk, output reg [7:0] q = 0); always @(posedge clk) q <= q + 1; endmodule"}
    sim = weft.compile(texts=text, engine="cycle", cache=False)
    sim.run_cycles(5)
    sim.save("state")
    assert weft.compile(texts=text, engine="cycle", cache=False, state="state").peek("q") == 5
