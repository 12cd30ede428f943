package io.ringstep.cli;

import io.ringstep.Communicator;
import io.ringstep.Device;
import io.ringstep.Exchange;
import io.ringstep.Fit;
import io.ringstep.Precision;
import io.ringstep.Trainer;
import picocli.CommandLine.Option;

/** How often, in what order and where. */
final class LoopOptions {
  @Option(
      names = "--batch",
      paramLabel = "N",
      description = "Rows a step; an epoch's last step takes the rows that are left. Default: 32.")
  Long batch;

  @Option(names = "--epochs", paramLabel = "N", description = "Passes over the data. Default: 100.")
  Integer epochs;

  @Option(
      names = "--shuffle",
      negatable = true,
      fallbackValue = "true",
      description = "Visit the rows of every epoch in a new order, drawn from --seed. Default: shuffle.")
  boolean shuffle = true;

  @Option(
      names = "--seed",
      paramLabel = "N",
      converter = Converters.Seed.class,
      description =
          "64-bit seed of the random weights and of the shuffling; model k of --models (from 0) uses"
              + " N + k for both, and so does that of group k of --group-by. The same seed gives the same weights on every machine. Default: 0.")
  Long seed = 0L;

  @Option(
      names = "--models",
      paramLabel = "K",
      description = "Train K models on the same data, which differ in their seed. Default: 1.")
  Integer models = 1;

  @Option(
      names = "--exchange",
      paramLabel = "never|average:M|gradient",
      description =
          "What the models of --models tell each other: nothing; every M steps and at the end, the mean of their weights;"
              + " or every step's gradients, which makes them one model trained by all. What is validated and kept is then"
              + " what they have learned together. Default: never.")
  Exchange exchange = Exchange.never();

  @Option(
      names = "--device",
      paramLabel = "auto|cpu|cuda|cuda:0,1",
      description =
          "Where to train; 'ringstep info' lists what this machine has. Several GPUs, as cuda:0,1, train as ranks: a"
              + " thread each, or where a launcher started several processes, one each; with cuda alone each"
              + " process takes the GPU of its number on its host. Default: auto.")
  Device device = Device.auto();

  @Option(
      names = "--collective",
      paramLabel = "auto|tcp|mpi|local|nccl",
      description =
          "What carries gradients between ranks, where a launcher started several. Default: auto, NCCL where every"
              + " rank has a GPU of its own by --device, else MPI under mpirun, else TCP.")
  Communicator.Backend collective = Communicator.Backend.AUTO;

  @Option(
      names = "--reduce",
      paramLabel = "exact|float",
      description =
          "How gradients are summed across ranks: exact gives the same bits for any number of ranks, float sends"
              + " fewer bytes. Default: exact.")
  Communicator.Reduction reduction = Communicator.Reduction.EXACT;

  @Option(
      names = "--tf32",
      description = "Use a GPU's tensor cores where there is a kernel for the network: faster, less exact.")
  boolean tf32;

  @Option(
      names = "--collapse",
      description =
          "Compute a network without activations as the one linear map that it amounts to: the same training but for"
              + " rounding, several times faster on large batches. On the CPU.")
  boolean collapse;

  void requireValid() {
    Checks.requireAtLeastOne("--batch", batch(Defaults.GENERAL));
    Checks.requireAtLeastOne("--epochs", epochs(Defaults.GENERAL));
    Checks.requireAtLeastOne("--models", models);
    Checks.require(
        models > 1 || exchange.equals(Exchange.never()), "--exchange is between models; give --models as well");
    Checks.require(
        !tf32 || device.toString().startsWith("cuda"), "--tf32 is for a GPU's tensor cores; use it with --device cuda");
    DeviceChoice.requireUsable(device);
  }

  /** Where and how exactly to compute; of several GPUs, on the first. */
  Trainer.Builder place(Trainer.Builder builder) {
    return builder
        .device(device.forRank(0))
        .precision(tf32 ? Precision.TF32 : Precision.FLOAT32)
        .collapsed(collapse);
  }

  /** What model {@code k} does. */
  Fit fit(Defaults defaults, int k) {
    Fit fit = Fit.epochs(epochs(defaults)).batch(batch(defaults));
    return shuffle ? fit.shuffled(seed + k) : fit;
  }

  /** For example {@code batch 32, 100 epochs, shuffled, seed 0, collapsed}. */
  String describe(Defaults defaults) {
    return "batch " + batch(defaults) + ", " + Text.count(epochs(defaults), "epoch")
        + (shuffle ? ", shuffled" : ", not shuffled") + ", seed " + seed
        + (models > 1 ? " to " + (seed + models - 1) : "")
        + (exchange.equals(Exchange.never()) ? "" : ", exchange " + exchange) + (collapse ? ", collapsed" : "");
  }

  private long batch(Defaults defaults) {
    return batch == null ? defaults.batch() : batch;
  }

  private int epochs(Defaults defaults) {
    return epochs == null ? defaults.epochs() : epochs;
  }
}
