package io.ringstep.peer;

import static io.ringstep.workload.Problem.HIDDEN;
import static io.ringstep.workload.Problem.INPUTS;

import io.ringstep.workload.Peer;
import io.ringstep.workload.Problem;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import org.deeplearning4j.nn.conf.MultiLayerConfiguration;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.layers.DenseLayer;
import org.deeplearning4j.nn.conf.layers.OutputLayer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.indexing.NDArrayIndex;
import org.nd4j.linalg.learning.config.Sgd;
import org.nd4j.linalg.lossfunctions.LossFunctions.LossFunction;

/** DL4J's MultiLayerNetwork: {@code fit} on batches sliced beforehand. */
public final class Dl4j implements Peer {
  private int rows;
  private MultiLayerNetwork network;
  private INDArray x;
  private INDArray y;
  private final List<INDArray> xBatches = new ArrayList<>();
  private final List<INDArray> yBatches = new ArrayList<>();
  private float[] answers;

  @Override
  public String version() {
    Properties properties = new Properties();
    try (InputStream in =
        MultiLayerNetwork.class.getResourceAsStream(
            "/META-INF/maven/org.deeplearning4j/deeplearning4j-nn/pom.properties")) {
      properties.load(in);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return "DL4J " + properties.getProperty("version");
  }

  @Override
  public void open(float[] start, Problem problem, int threads) {
    Nd4j.getEnvironment().setMaxMasterThreads(threads);
    rows = problem.rows;
    answers = new float[rows];
    MultiLayerConfiguration configuration =
        new NeuralNetConfiguration.Builder()
            .updater(new Sgd(Problem.LEARNING_RATE))
            .activation(Activation.IDENTITY)
            .list()
            .layer(new DenseLayer.Builder().nIn(INPUTS).nOut(HIDDEN).build())
            .layer(new OutputLayer.Builder(LossFunction.MSE).activation(Activation.IDENTITY).nIn(HIDDEN).nOut(1).build())
            .build();
    network = new MultiLayerNetwork(configuration);
    network.init();
    // Each weight is [in, out] column by column: the order of PyTorch's [out, in].
    network.setParams(Nd4j.createFromArray(start).reshape(1, start.length));
    x = Nd4j.createFromArray(problem.x).reshape(rows, INPUTS);
    y = Nd4j.createFromArray(problem.y).reshape(rows, 1);
  }

  @Override
  public void train(int batch, int steps) {
    slice(batch);
    for (int s = 0; s < steps; s++) {
      network.fit(xBatches.get(s % xBatches.size()), yBatches.get(s % yBatches.size()));
    }
  }

  @Override
  public float[] predict(int batch) {
    slice(batch);
    for (int b = 0; b < xBatches.size(); b++) {
      network.output(xBatches.get(b), false).data().asNioFloat().get(answers, b * batch, batch);
    }
    return answers;
  }

  private void slice(int batch) {
    if (xBatches.size() != rows / batch) {
      xBatches.clear();
      yBatches.clear();
      for (long from = 0; from < rows; from += batch) {
        xBatches.add(x.get(NDArrayIndex.interval(from, from + batch), NDArrayIndex.all()));
        yBatches.add(y.get(NDArrayIndex.interval(from, from + batch), NDArrayIndex.all()));
      }
    }
  }

  @Override
  public float[] parameters() {
    return network.params().toFloatVector();
  }

  @Override
  public void close() {
    network.close();
  }
}
