package io.ringstep.peer;

import static io.ringstep.workload.Problem.HIDDEN;
import static io.ringstep.workload.Problem.INPUTS;

import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import ai.djl.training.Trainer;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import io.ringstep.workload.Peer;
import io.ringstep.workload.Problem;
import java.util.ArrayList;
import java.util.List;

/** DJL with its PyTorch engine, as its guide has it: a trainer, a gradient collector, batches sliced beforehand. */
public final class Djl implements Peer {
  private int rows;
  private Model model;
  private Trainer trainer;
  private NDManager manager;
  private NDArray x;
  private NDArray y;
  private final List<NDArray> xBatches = new ArrayList<>();
  private final List<NDArray> yBatches = new ArrayList<>();
  private ParameterStore store;
  private float[] answers;

  @Override
  public String version() {
    return "DJL " + Engine.getDjlVersion() + " with PyTorch " + Engine.getEngine("PyTorch").getVersion();
  }

  @Override
  public void open(float[] start, Problem problem, int threads) {
    // Read once, when the engine is loaded.
    System.setProperty("ai.djl.pytorch.num_threads", Integer.toString(threads));
    System.setProperty("ai.djl.pytorch.num_interop_threads", "1");
    rows = problem.rows;
    answers = new float[rows];
    Block block =
        new SequentialBlock()
            .add(Linear.builder().setUnits(HIDDEN).build())
            .add(Linear.builder().setUnits(1).build());
    model = Model.newInstance("peer", "PyTorch");
    model.setBlock(block);
    Optimizer sgd =
        Optimizer.sgd().setLearningRateTracker(Tracker.fixed((float) Problem.LEARNING_RATE)).build();
    trainer = model.newTrainer(new DefaultTrainingConfig(new MeanSquaredError()).optOptimizer(sgd));
    trainer.initialize(new Shape(1, INPUTS));
    manager = trainer.getManager().newSubManager();
    store = new ParameterStore(manager, false);
    int k = 0;
    for (Parameter parameter : block.getParameters().values()) {
      float[] own = new float[(int) parameter.getArray().size()];
      System.arraycopy(start, k, own, 0, own.length);
      parameter.getArray().set(own);
      k += own.length;
    }
    x = manager.create(problem.x, new Shape(rows, INPUTS));
    y = manager.create(problem.y, new Shape(rows, 1));
  }

  @Override
  public void train(int batch, int steps) {
    slice(batch);
    for (int s = 0; s < steps; s++) {
      try (NDManager step = manager.newSubManager();
          GradientCollector collector = trainer.newGradientCollector()) {
        NDArray in = xBatches.get(s % xBatches.size());
        NDArray target = yBatches.get(s % yBatches.size());
        in.tempAttach(step);
        target.tempAttach(step);
        NDList out = trainer.forward(new NDList(in));
        collector.backward(trainer.getLoss().evaluate(new NDList(target), out));
      }
      trainer.step();
    }
  }

  @Override
  public float[] predict(int batch) {
    slice(batch);
    for (int b = 0; b < xBatches.size(); b++) {
      try (NDManager call = manager.newSubManager()) {
        NDArray in = xBatches.get(b);
        in.tempAttach(call);
        NDArray out = model.getBlock().forward(store, new NDList(in), false).singletonOrThrow();
        out.toByteBuffer().asFloatBuffer().get(answers, b * batch, batch);
      }
    }
    return answers;
  }

  private void slice(int batch) {
    if (xBatches.size() != rows / batch) {
      xBatches.clear();
      yBatches.clear();
      for (long from = 0; from < rows; from += batch) {
        xBatches.add(x.get(from + ":" + (from + batch)));
        yBatches.add(y.get(from + ":" + (from + batch)));
      }
    }
  }

  @Override
  public float[] parameters() {
    float[] flat = new float[Problem.PARAMETERS];
    int k = 0;
    for (Parameter parameter : model.getBlock().getParameters().values()) {
      float[] own = parameter.getArray().toType(DataType.FLOAT32, false).toFloatArray();
      System.arraycopy(own, 0, flat, k, own.length);
      k += own.length;
    }
    return flat;
  }

  @Override
  public void close() {
    manager.close();
    trainer.close();
    model.close();
  }

  /** The mean of squares, without the half that DJL's own L2 loss puts before it. */
  private static final class MeanSquaredError extends Loss {
    MeanSquaredError() {
      super("MeanSquaredError");
    }

    @Override
    public NDArray evaluate(NDList labels, NDList predictions) {
      return predictions.singletonOrThrow().sub(labels.singletonOrThrow()).square().mean();
    }
  }
}
