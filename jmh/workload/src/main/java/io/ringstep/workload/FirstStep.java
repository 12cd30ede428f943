package io.ringstep.workload;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;

/** The shortest useful program: trains one step of batch 1 and ends. */
public final class FirstStep {
  private FirstStep() {}

  public static void main(String[] args) {
    try (Peer peer = Peer.find()) {
      peer.open(Problem.start(), new Problem(1), 1);
      peer.train(1, 1);
      if (!Float.isFinite(peer.parameters()[0])) {
        throw new IllegalStateException("the weights are not finite");
      }
    }
  }

  /** Runs it in a JVM of its own, with the class path and the options of this one, and waits for its end. */
  public static void inNewProcess() throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(System.getProperty("java.home") + "/bin/java");
    for (String option : ManagementFactory.getRuntimeMXBean().getInputArguments()) {
      if (!option.startsWith("-XX:CompileCommandFile")) { // JMH's own
        command.add(option);
      }
    }
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), FirstStep.class.getName()));
    int exit = new ProcessBuilder(command).inheritIO().start().waitFor();
    if (exit != 0) {
      throw new IllegalStateException("the process ended with exit code " + exit);
    }
  }
}
