package io.ringstep.cli;

import io.ringstep.internal.rendezvous.Environment;
import io.ringstep.internal.rendezvous.HostPort;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** The options of {@code ringstep launch}; {@link Launch} does the work. */
@Command(
    name = "launch",
    description = {
      "Trains with several processes, on one host or many, as if it were one: the weights come out the"
          + " same, bit for bit. When one process fails all end, and the message says which it was and why.",
    },
    footer = {
      "%nExamples:",
      "  Four processes on this host:",
      "    ringstep launch --nproc 4 -- train --data houses.csv --network 8,32,1 --batch 4096",
      "  Eight on each of two hosts, on both with the same RINGSTEP_SECRET in the environment:",
      "    ringstep launch --nproc 8 --nnodes 2 --node-rank 0 --rendezvous gpu1:29500 -- train ...",
      "    ringstep launch --nproc 8 --nnodes 2 --node-rank 1 --rendezvous gpu1:29500 -- train ...",
      "  Up to three restarts from the last checkpoint:",
      "    ringstep launch --nproc 4 --max-restarts 3 -- train --checkpoint run7 ...",
    })
final class LaunchCommand implements Action {
  private static final int MOST_PROCESSES = 4096;

  @Spec CommandSpec spec;

  @Option(names = "--nproc", paramLabel = "N", required = true, description = "Processes on this host.")
  Integer processes;

  @Option(names = "--nnodes", paramLabel = "M", description = "Hosts. Default: 1.")
  Integer nodes = 1;

  @Option(
      names = "--node-rank",
      paramLabel = "R",
      description = "This host's number, from 0; host 0 holds the rendezvous. Default: 0.")
  Integer nodeRank = 0;

  @Option(
      names = "--rendezvous",
      paramLabel = "HOST:PORT",
      description = "Where the hosts meet: host 0's name and a free port. Default: this host alone.")
  String rendezvous;

  @Option(
      names = "--max-restarts",
      paramLabel = "N",
      description = "Restart all so often when one fails, from the last checkpoint. Default: 0.")
  Integer maxRestarts = 0;

  @Option(
      names = "--deadline",
      paramLabel = "SECONDS",
      description =
          "How long to wait for a process that does not arrive or does not answer. Default:"
              + " RINGSTEP_DEADLINE, or 60.")
  String deadline;

  @Parameters(paramLabel = "train ...", description = "After --: the training, as without launch.")
  List<String> command = List.of();

  @Override
  public int run(Console console) throws Exception {
    requireValid();
    return new Launch(this, console).run();
  }

  Duration deadline() {
    return Environment.deadline(
        deadline == null ? System.getenv() : Map.of(Environment.DEADLINE, deadline));
  }

  /** Where the ranks meet; port 0 leaves the choice to the system. */
  HostPort address() {
    return rendezvous == null ? new HostPort("127.0.0.1", 0) : HostPort.parse(rendezvous);
  }

  private void requireValid() {
    Checks.requireAtLeastOne("--nproc", processes);
    Checks.requireAtLeastOne("--nnodes", nodes);
    Checks.require(processes <= MOST_PROCESSES, "--nproc must be at most " + MOST_PROCESSES + ", but is " + processes);
    Checks.require(
        nodeRank >= 0 && nodeRank < nodes,
        "--node-rank " + nodeRank + " must be from 0 to " + (nodes - 1) + ", as --nnodes is " + nodes);
    Checks.require(nodes == 1 || rendezvous != null, "--nnodes " + nodes + " needs --rendezvous HOST:PORT, the same on every host");
    Checks.require(rendezvous == null || address().port() > 0, "--rendezvous needs a port from 1 to 65535");
    Checks.require(maxRestarts >= 0, "--max-restarts must be at least 0, but is " + maxRestarts);
    Checks.require(
        nodes == 1 || !System.getenv().getOrDefault(Environment.SECRET, "").isEmpty(),
        "--nnodes " + nodes + " needs the job's secret in " + Environment.SECRET
            + ", the same on every host, such as 'openssl rand -hex 32' prints");
    deadline();
    requireTraining();
  }

  /** What is wrong with the training's options is said once, and not by every process. */
  private void requireTraining() {
    Checks.require(
        !command.isEmpty() && command.get(0).equals("train"),
        "launch what? End with '-- train' and the options of the training");
    var parsed = spec.root().commandLine().parseArgs(command.toArray(String[]::new));
    TrainCommand train = parsed.subcommand().commandSpec().commandLine().getCommand();
    train.requireValid();
    Checks.require(
        maxRestarts == 0 || train.checkpoints.directory != null,
        "--max-restarts needs the training's --checkpoint DIR, to go on from");
  }
}
