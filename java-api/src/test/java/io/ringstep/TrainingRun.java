package io.ringstep;

/** Fits that go every way through the engine, to be repeated elsewhere and compared. */
enum TrainingRun {
  /** All weights in registers. */
  SMALL(Network.of(10, 20, 1).withActivation(Activation.RELU), new Sgd(0.01), 3_000, 1),
  /** Several blocks a batch, a ragged last block and a ragged last batch. */
  BIG_BATCH(Network.of(10, 20, 1), new Sgd(0.05), 20_000, 4_099),
  ROWS_ONE_BY_ONE(Network.of(7, 33, 5).withActivation(Activation.TANH), new Adam(0.001), 500, 3),
  ONE_BLOCK(Network.of(17, 31, 2).withActivation(Activation.SIGMOID), new AdamW(0.001), 1_000, 37),
  WIDE(Network.of(64, 128, 32, 3).withActivation(Activation.RELU), new Adam(0.001), 2_000, 777),
  DEEP(
      Network.of(61, 70, 64, 16, 1).withActivation(Activation.TANH),
      new Sgd(0.01).withMomentum(0.9).withNesterov().withWeightDecay(1e-4), 1_200, 513),
  /** Parameters enough for the update itself to be shared out. */
  MANY_PARAMETERS(Network.of(100, 700, 1).withActivation(Activation.SIGMOID), new AdamW(0.001), 130, 65);

  private static final int EPOCHS = 2;
  private static final long SEED = 5;

  private final Network network;
  private final Optimizer optimizer;
  private final Rows rows;
  private final int batch;

  TrainingRun(Network network, Optimizer optimizer, int rows, int batch) {
    this.network = network;
    this.optimizer = optimizer;
    this.rows = Rows.random(ordinal(), rows, network);
    this.batch = batch;
  }

  /** The parameters after a fit on {@code device}. */
  Model train(Device device, boolean shuffled) {
    Fit fit = Fit.epochs(EPOCHS).batch(batch);
    try (Dataset data = rows.dataset();
        Trainer trainer = Trainer.builder(network).optimizer(optimizer).device(device).seed(SEED).build()) {
      trainer.fit(data, shuffled ? fit.shuffled(SEED) : fit);
      return trainer.model();
    }
  }
}
