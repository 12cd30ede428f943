package io.ringstep.peer;

import static io.ringstep.workload.Problem.HIDDEN;
import static io.ringstep.workload.Problem.INPUTS;

import io.ringstep.workload.Peer;
import io.ringstep.workload.Problem;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * Java alone, with the JDK's Vector API (incubating), written for this one network: what an expert would write without a
 * library. Training at batch 1 is in {@link SeedSteps}, larger batches are in {@link TiledBatch}. One thread; needs
 * AVX-512, as without it vectors of 16 floats would be emulated.
 */
public final class VectorApi implements Peer {
  private Problem problem;
  private SeedSteps seed;
  private TiledBatch tiles;
  private float[] flat;
  private float[] answers;

  @Override
  public String version() {
    return "Vector API, Java " + Runtime.version().feature();
  }

  @Override
  public int mostThreads() {
    return 1;
  }

  @Override
  public void open(float[] parameters, Problem rows, int threads) {
    if (FloatVector.SPECIES_PREFERRED.length() < 16) {
      throw new IllegalStateException("this CPU has no vectors of 16 floats");
    }
    problem = rows;
    flat = parameters.clone();
    answers = new float[rows.rows];
    seed = new SeedSteps();
    tiles = rows.rows % TiledBatch.LANES == 0 ? new TiledBatch(rows) : null;
  }

  @Override
  public void train(int batch, int steps) {
    if (batch > 1) {
      tiles.train(flat, batch, steps);
      return;
    }
    seed.set(flat);
    for (int done = 0; done < steps; done += problem.rows) {
      seed.train(problem.x, problem.y, Math.min(problem.rows, steps - done));
    }
    seed.get(flat);
  }

  @Override
  public float[] parameters() {
    return Arrays.copyOf(flat, HIDDEN * INPUTS + 2 * HIDDEN + 1);
  }

  @Override
  public float[] predict(int batch) {
    if (batch > 1) {
      tiles.predict(flat, answers);
    } else {
      seed.set(flat);
      seed.predict(problem.x, answers);
    }
    return answers;
  }

  @Override
  public void close() {}
}
