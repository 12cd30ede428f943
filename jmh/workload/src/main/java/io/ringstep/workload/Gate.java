package io.ringstep.workload;

/**
 * Before anything is timed: the peer on the class path must agree with float64 on the weights after 100 steps, of batch 1
 * and of batch 64, on every number of threads, and on predictions. Prints a line of JSON, or ends with the reason.
 */
public final class Gate {
  private static final int STEPS = 100;
  private static final int[] BATCHES = {1, 64};

  private Gate() {}

  public static void main(String[] args) {
    double worst = 0;
    String version = Peer.find().version();
    for (int threads = 1; threads <= Math.min(2, Peer.find().mostThreads()); threads++) {
      for (int batch : BATCHES) {
        Problem problem = new Problem(batch * STEPS);
        try (Peer peer = Peer.find()) {
          peer.open(Problem.start(), problem, threads);
          double[] untrained = Float64.predict(problem);
          worst = Math.max(worst, Float64.requireClose("prediction", peer.predict(batch), untrained));
          peer.train(batch, STEPS);
          double[] expected = Float64.train(problem, batch, STEPS);
          worst = Math.max(worst, Float64.requireClose("weight", peer.parameters(), expected));
        }
      }
    }
    System.out.printf("{\"system\": \"%s\", \"steps\": %d, \"error\": %.2g}%n", version, STEPS, worst);
  }
}
