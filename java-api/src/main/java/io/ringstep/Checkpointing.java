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
  private CheckpointDirectory directory;
  private Map<String, String> facts;
  private long lastSteps;
  private long lastEpoch;

  /**
   * @param communicator the other ranks, or null
   * @param model the model that has these parameters
   */
  Checkpointing(
      Fit.Checkpoints options, TrainingFacts training, Communicator communicator, Function<float[], Model> model) {
    this.options = options;
    this.training = training;
    this.communicator = communicator;
    this.model = model;
    if (options.directory() != null || options.start() != null || communicator != null) {
      facts = training.byName();
    }
  }

  /** Puts the trainer where the checkpoint was; empty where the fit begins at its beginning. */
  Optional<Position> resume(rs_trainer trainer) {
    Optional<Checkpoint> start = Optional.ofNullable(options.start());
    if (communicator != null) {
      communicator.rendezvous().agree("training", facts);
      start = CheckpointShare.ofRankZero(communicator, start);
    }
    if (start.isPresent()) {
      CheckpointData data = start.get().data();
      requireSame(start.get());
      restore(trainer, data);
      lastSteps = data.position().steps();
      lastEpoch = data.position().epoch();
    }
    if (communicator != null) {
      agreeOnStart(trainer);
    }
    if (options.directory() != null && (communicator == null || communicator.rank() == 0)) {
      directory = CheckpointDirectory.open(options.directory());
    }
    return start.map(checkpoint -> checkpoint.data().position());
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
    boolean fused = !Native.cpuSimd().equals("baseline");
    Map<String, String> start =
        Map.of(
            "epochs", Integer.toString(training.fit().epochs()),
            "engine", fused ? "cpu" : "cpu without fused multiply-add",
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
  void write(rs_trainer trainer, Position position) {
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
              new CheckpointData.Optimizer(state.steps(), state.beta1_power(), state.beta2_power()),
              position,
              facts));
    } finally {
      Pointer.free(memory);
    }
  }

  @Override
  public void close() {
    if (directory != null) {
      directory.close();
    }
  }
}
