package io.ringstep.jmh;

import io.ringstep.Dataset;
import io.ringstep.Device;
import io.ringstep.Fit;
import io.ringstep.Model;
import io.ringstep.Network;
import io.ringstep.Sgd;
import io.ringstep.Trainer;
import io.ringstep.workload.Peer;
import io.ringstep.workload.Problem;

/** The problem in Ringstep's terms; and Ringstep as one peer among the others, for the gate and the first step. */
public final class Ringstep implements Peer {
  static final Network NETWORK = Network.of(Problem.INPUTS, Problem.HIDDEN, 1);

  private Problem problem;
  private Trainer trainer;
  private Dataset dataset;

  static Trainer trainer(Device device) {
    return trainer(Problem.start(), device);
  }

  private static Trainer trainer(float[] parameters, Device device) {
    return Trainer.builder(new Model(NETWORK, parameters))
        .optimizer(new Sgd(Problem.LEARNING_RATE))
        .device(device)
        .build();
  }

  static Dataset dataset(Problem problem) {
    return Dataset.of(problem.x, problem.y, Problem.INPUTS, 1);
  }

  /** The device that the command line calls {@code name}; the CPU with so many threads. */
  static Device device(String name, int threads) {
    return name.equals("cpu") ? Device.cpu(threads) : Device.parse(name);
  }

  @Override
  public String version() {
    return "Ringstep";
  }

  @Override
  public void open(float[] parameters, Problem rows, int threads) {
    problem = rows;
    trainer = trainer(parameters, device(System.getProperty("device", "cpu"), threads));
    dataset = dataset(rows);
  }

  /** In whole epochs, as {@link Trainer#fit} has it. */
  @Override
  public void train(int batch, int steps) {
    trainer.fit(dataset, Fit.epochs(steps * batch / problem.rows).batch(batch));
  }

  @Override
  public float[] parameters() {
    return trainer.parameters();
  }

  @Override
  public float[] predict(int batch) {
    return trainer.predict(problem.x);
  }

  @Override
  public void close() {
    trainer.close();
    dataset.close();
  }
}
