package io.ringstep.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.util.List;

/** {@code ringstep launch} for {@link StandInRank}: arguments are nproc, deadline in seconds, restarts. */
public final class StandInLaunch {
  private StandInLaunch() {}

  public static void main(String[] args) throws Exception {
    LaunchCommand options = new LaunchCommand();
    options.processes = Integer.valueOf(args[0]);
    options.deadline = args[1];
    options.maxRestarts = Integer.valueOf(args[2]);
    options.command = List.of("train");
    Console console = new Console(new FileOutputStream(FileDescriptor.out), System.err);
    System.exit(new Launch(options, console, StandInRank.class).run());
  }
}
