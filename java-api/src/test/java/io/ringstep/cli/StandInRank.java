package io.ringstep.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.ringstep.Rendezvous;
import io.ringstep.RingstepException;
import io.ringstep.internal.rendezvous.Environment;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A rank that trains nothing: its steps only gather a value from all ranks. For tests of the launcher and
 * the rendezvous alone. {@code STAND_IN_FOLDER} receives a file {@code pid-RANK} when the rank has taken
 * its first steps; {@code STAND_IN_SCRIPT} says what else happens, as {@code ATTEMPT:RANK:WHAT}.
 */
public final class StandInRank {
  private StandInRank() {}

  public static void main(String[] args) throws Exception {
    Orphan.watch(System.in, System.err);
    System.exit(run(Environment.of(System.getenv()).rank()));
  }

  private static int run(int rank) throws Exception {
    if (does("never arrives", rank)) {
      Thread.sleep(600_000);
    }
    if (does("fails at once", rank)) {
      System.err.println("no such file");
      return 2;
    }
    Rendezvous rendezvous = null;
    try {
      rendezvous = Rendezvous.env();
      train(rendezvous, rank);
      rendezvous.close();
      if (rank == 0) {
        System.out.println("progress\n{\"rank\":0}");
      } else {
        System.out.println("done");
      }
      return 0;
    } catch (RingstepException e) {
      System.err.println("stand-in: " + e.getMessage());
      if (rendezvous != null) {
        rendezvous.abort(e.getMessage());
        rendezvous.close();
      }
      return 1;
    }
  }

  private static void train(Rendezvous rendezvous, int rank) throws Exception {
    int steps = Integer.parseInt(System.getenv("STAND_IN_STEPS"));
    Path folder = Path.of(System.getenv("STAND_IN_FOLDER"));
    for (int step = 0; step < steps; step++) {
      rendezvous.allGather("step", ("" + step).getBytes(UTF_8));
      if (step == 3) {
        Path file = folder.resolve("pid-" + rank);
        Files.writeString(file.resolveSibling("." + rank), "" + ProcessHandle.current().pid());
        Files.move(file.resolveSibling("." + rank), file);
      }
      if (step == 5 && does("exits", rank)) {
        Runtime.getRuntime().halt(7);
      }
      if (step == 5 && does("gives up", rank)) {
        throw new RingstepException("the disk is full");
      }
      Thread.sleep(10);
    }
  }

  private static boolean does(String what, int rank) {
    String now = System.getenv().getOrDefault("RINGSTEP_ATTEMPT", "0") + ":" + rank + ":" + what;
    return now.equals(System.getenv("STAND_IN_SCRIPT"));
  }
}
