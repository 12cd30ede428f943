package io.ringstep;

import io.ringstep.engine.Engine;
import io.ringstep.engine.Engine.rs_optimizer_state;
import io.ringstep.engine.Engine.rs_trainer;
import io.ringstep.internal.CheckpointData;
import io.ringstep.internal.CheckpointData.Position;
import io.ringstep.internal.CheckpointDirectory;
import io.ringstep.internal.Native;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.DoubleConsumer;
import java.util.function.DoubleSupplier;
import java.util.function.Function;
import java.util.zip.CRC32C;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;

/** Writes the checkpoints of one fit, and goes on from one. */
final class Checkpointing implements AutoCloseable {
  private final Fit.Checkpoints options;
  private final TrainingFacts training;
  private final Communicator communicator;
  private final Function<float[], Model> model;
  private final DoubleSupplier learningRate;
  private final DoubleConsumer setLearningRate;
  private CheckpointDirectory directory;
  private Map<String, String> facts;
  private long lastSteps;
  private long lastEpoch;

  /**
   * @param communicator the other ranks, or null
   * @param model the model that has these parameters
   * @param learningRate the trainer's, which a checkpoint brings back
   */
  Checkpointing(
      Fit.Checkpoints options, TrainingFacts training, Communicator communicator, Function<float[], Model> model,
      DoubleSupplier learningRate, DoubleConsumer setLearningRate) {
    this.options = options;
    this.training = training;
    this.communicator = communicator;
    this.model = model;
    this.learningRate = learningRate;
    this.setLearningRate = setLearningRate;
    if (options.directory() != null || options.start() != null || communicator != null) {
      facts = training.byName();
    }
  }

  /** Puts the trainer where the checkpoint was; empty where the fit begins at its beginning. */
  Optional<CheckpointData> resume(rs_trainer trainer) {
    Optional<Checkpoint> start = Optional.ofNullable(options.start());
    if (communicator != null) {
      communicator.rendezvous().agree("training", facts);
      start = CheckpointShare.ofRankZero(communicator, start);
    }
    if (start.isPresent()) {
      CheckpointData data = start.get().data();
      requireSame(start.get());
      restore(trainer, data);
      setLearningRate.accept(data.optimizer().learningRate());
      lastSteps = data.position().steps();
      lastEpoch = data.position().epoch();
    }
    if (communicator != null) {
      agreeOnStart(trainer);
    }
    if (options.directory() != null && (communicator == null || communicator.rank() == 0)) {
      directory = CheckpointDirectory.open(options.directory());
    }
    return start.map(Checkpoint::data);
  }

  /** Ranks that began with other weights would never notice. */
  private void agreeOnStart(rs_trainer trainer) {
    CRC32C crc = new CRC32C();
    for (float parameter : parameters(trainer)) {
      int bits = Float.floatToRawIntBits(parameter);
      crc.update(bits);
      crc.update(bits >>> 8);
      crc.update(bits >>> 16);
      crc.update(bits >>> 24);
    }
    Map<String, String> start =
        Map.of(
            "epochs", Integer.toString(training.fit().epochs()),
            "learning rate", Double.toString(learningRate.getAsDouble()),
            "checksum of the initial weights", Long.toHexString(crc.getValue()));
    communicator.rendezvous().agree("start", start);
  }

  private float[] parameters(rs_trainer trainer) {
    float[] parameters = new float[training.network().parameterCount()];
    Native.check(Engine.rs_trainer_get_parameters(trainer, parameters, parameters.length));
    return parameters;
  }

  private void requireSame(Checkpoint start) {
    Map<String, String> settings = start.data().settings();
    Set<String> names = new LinkedHashSet<>(facts.keySet());
    names.addAll(settings.keySet());
    names.removeIf(name -> String.valueOf(settings.get(name)).equals(facts.get(name)));
    if (!names.isEmpty()) {
      String name = names.iterator().next();
      throw new InvalidDataException(
          start.file(), 0, 0,
          "is of another training: its " + name + " is " + settings.getOrDefault(name, "not said") + ", where this one's is "
              + facts.getOrDefault(name, "not said") + "; train alike, or name another directory");
    }
  }

  private static void restore(rs_trainer trainer, CheckpointData data) {
    float[] parameters = data.model().parameters();
    Native.check(Engine.rs_trainer_set_parameters(trainer, parameters, parameters.length));
    Pointer memory = Native.allocate(Loader.sizeof(rs_optimizer_state.class));
    try {
      rs_optimizer_state state =
          new rs_optimizer_state(memory)
              .steps(data.optimizer().steps())
              .beta1_power(data.optimizer().beta1Power())
              .beta2_power(data.optimizer().beta2Power());
      Native.check(Engine.rs_trainer_set_state(trainer, data.moments(), data.moments().length, state));
      if (data.average().count() > 0) {
        float[] average = data.average().parameters();
        Native.check(Engine.rs_trainer_set_average(trainer, average, average.length, data.average().count()));
      }
    } finally {
      Pointer.free(memory);
    }
  }

  /** How many epochs the engine may do before it returns. */
  long epochsToNext(int epochs) {
    return directory == null ? Long.MAX_VALUE : options.every() - epochs % options.every();
  }

  /** Whether a checkpoint is to be written after so many epochs. */
  boolean isDue(int epochs) {
    return directory != null && epochs > lastEpoch && epochs % options.every() == 0;
  }

  /** Writes a checkpoint, if any are wanted and the last one is older. */
  void write(rs_trainer trainer, Position position, CheckpointData.Monitor monitor) {
    if (directory == null || position.steps() == lastSteps) {
      return;
    }
    lastSteps = position.steps();
    lastEpoch = position.epoch();
    float[] parameters = parameters(trainer);
    float[] moments = new float[Math.toIntExact(Engine.rs_trainer_state_count(trainer))];
    Pointer memory = Native.allocate(Loader.sizeof(rs_optimizer_state.class));
    try {
      rs_optimizer_state state = new rs_optimizer_state(memory);
      Native.check(Engine.rs_trainer_get_state(trainer, moments, moments.length, state));
      directory.write(
          new CheckpointData(
              model.apply(parameters),
              moments,
              new CheckpointData.Optimizer(state.steps(), state.beta1_power(), state.beta2_power(), learningRate.getAsDouble()),
              average(trainer, parameters.length),
              position,
              monitor,
              facts));
    } finally {
      Pointer.free(memory);
    }
  }

  private static CheckpointData.Average average(rs_trainer trainer, int parameters) {
    float[] average = new float[parameters];
    long[] count = new long[1];
    Native.check(Engine.rs_trainer_get_average(trainer, average, parameters, count));
    return new CheckpointData.Average(count[0] == 0 ? new float[0] : average, count[0]);
  }

  @Override
  public void close() {
    if (directory != null) {
      directory.close();
    }
  }
}
