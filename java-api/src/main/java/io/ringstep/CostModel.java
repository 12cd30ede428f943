package io.ringstep;

/**
 * How long work would take on the CPU and on a GPU, roughly: enough to tell a GPU's work from a CPU's.
 *
 * <p>The CPU's numbers were measured (docs/results/cpu). The GPU's are estimates for an H200 class card that no hardware
 * has confirmed yet (docs/results/unproven.md).
 */
final class CostModel {
  /** A multiply-add counts twice; forward, and backward to the inputs and to the weights. */
  private static final double FLOPS_PER_PARAMETER = 6;

  private static final double CPU_STEP_SECONDS = 1e-8;
  private static final double CPU_FLOPS = 4e10;
  private static final int CPU_ROWS_PER_THREAD = 1024;

  /** The context of the process on the device, and the code loaded into it. */
  private static final double CUDA_START_SECONDS = 0.3;

  private static final double CUDA_COPY_BYTES = 1e10;

  /** Of a persistent kernel: what one step waits for, forward and backward, with plain SGD. */
  private static final double CUDA_PERSISTENT_STEP_SECONDS = 7e-8;

  /** What momentum or weight decay, or Adam, add to that: the instructions of a lone warp, one a clock. */
  private static final double CUDA_MOMENTUM_SECONDS = 1e-7;
  private static final double CUDA_ADAM_SECONDS = 8e-7;

  private static final int CUDA_PERSISTENT_ROWS = 1024;

  /** The largest network that has persistent kernels. */
  private static final int CUDA_FUSED_INPUTS = 16;

  private static final int CUDA_FUSED_HIDDEN = 32;

  /** Models that persistent kernels train at once: 132 multiprocessors with 8 warps of 4 models, or 2 thread blocks. */
  private static final int CUDA_MODELS_OF_BATCH_1 = 4224;

  private static final int CUDA_MODELS = 264;

  /** One kernel of a graph after the other. */
  private static final double CUDA_LAUNCH_SECONDS = 1.3e-6;

  private static final double CUDA_FLOPS = 4e12;

  private CostModel() {}

  /**
   * Work to be done.
   *
   * @param rows in the data
   * @param batch rows a step
   * @param steps in all
   */
  record Work(Network network, Optimizer optimizer, long rows, long batch, double steps) {
    static Work of(Network network, Optimizer optimizer, long rows, Fit fit) {
      double stepsPerEpoch = 1 + (rows - 1) / fit.batch();
      return new Work(network, optimizer, rows, Math.min(fit.batch(), rows), fit.epochs() * stepsPerEpoch);
    }

    /** Many steps of no rows in particular. */
    static Work of(Network network, Optimizer optimizer) {
      return new Work(network, optimizer, 32, 32, 1e6);
    }

    private double flopsPerStep() {
      return FLOPS_PER_PARAMETER * network.parameterCount() * batch;
    }

    private int layers() {
      return network.sizes().length - 1;
    }

    private double persistentStepSeconds() {
      if (!(optimizer instanceof Sgd sgd)) {
        return CUDA_PERSISTENT_STEP_SECONDS + CUDA_ADAM_SECONDS;
      }
      boolean plain = sgd.momentum() == 0 && sgd.weightDecay() == 0;
      return CUDA_PERSISTENT_STEP_SECONDS + (plain ? 0 : CUDA_MOMENTUM_SECONDS);
    }
  }

  static double cpuSeconds(Work work, int processors) {
    double threads = Math.min(processors, 1 + work.batch() / CPU_ROWS_PER_THREAD);
    return work.steps() * (CPU_STEP_SECONDS + work.flopsPerStep() / (CPU_FLOPS * threads));
  }

  static double cudaSeconds(Work work) {
    double bytes = (double) work.rows() * (work.network().inputs() + work.network().outputs()) * Float.BYTES;
    return CUDA_START_SECONDS + bytes / CUDA_COPY_BYTES + work.steps() * cudaStepSeconds(work);
  }

  /** Of {@code models} models side by side, each of which does {@code work}: their lanes are never idle. */
  static double cpuSeconds(Work work, int models, int processors) {
    return models * work.steps() * work.flopsPerStep() / (CPU_FLOPS * Math.min(processors, models));
  }

  /** Of {@code models} models side by side: as many as the device has room for take no longer than one. */
  static double cudaSeconds(Work work, int models) {
    int atOnce = work.batch() == 1 ? CUDA_MODELS_OF_BATCH_1 : CUDA_MODELS;
    double rounds = Math.ceil((double) models / atOnce);
    return cudaSeconds(work) + (rounds - 1) * work.steps() * cudaStepSeconds(work);
  }

  /** Why a persistent kernel cannot do steps of {@code batch} rows; null where it can. */
  static String beyondPersistent(Network network, long batch) {
    int[] sizes = network.sizes();
    if (sizes.length != 3 || sizes[0] > CUDA_FUSED_INPUTS || sizes[1] > CUDA_FUSED_HIDDEN || sizes[2] != 1) {
      return "this network";
    }
    return batch > CUDA_PERSISTENT_ROWS ? "batches of more than 1024 rows" : null;
  }

  private static double cudaStepSeconds(Work work) {
    boolean persistent = work.layers() == 2 && work.network().parameterCount() < 2048
        && work.batch() <= CUDA_PERSISTENT_ROWS;
    double waiting =
        persistent
            ? work.persistentStepSeconds()
            : CUDA_LAUNCH_SECONDS * (work.layers() == 2 && work.network().parameterCount() < 2048 ? 2 : 4 * work.layers() + 1);
    // One block of threads runs a persistent kernel, all of the device's run the others.
    double flops = persistent ? CUDA_FLOPS / 100 : CUDA_FLOPS;
    return waiting + work.flopsPerStep() / flops;
  }
}
