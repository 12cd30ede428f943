package io.ringstep;

import io.ringstep.engine.Engine;
import io.ringstep.engine.Engine.rs_communicator;
import io.ringstep.engine.Engine.rs_dataset;
import io.ringstep.engine.Engine.rs_ensemble;
import io.ringstep.engine.Engine.rs_ensemble_options;
import io.ringstep.engine.Engine.rs_trainer_options;
import io.ringstep.internal.CudaLibrary;
import io.ringstep.internal.ModelFile;
import io.ringstep.internal.Native;
import io.ringstep.internal.NativeHandle;
import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;

/**
 * Many models of one network in training side by side, each with its own start, learning rate and settings, on the same
 * rows or each on its own.
 *
 * <p>Model k has the same bits as a {@link Trainer} with its settings that does the same; together they only train much
 * faster. A model whose loss becomes NaN or infinite stops before that step and stays as it is; the others go on.
 *
 * <p>Any thread may call any method. Calls on one ensemble run one after the other, so a call waits for a fit under way;
 * {@link #cancel()} ends that early.
 */
public final class Ensemble implements AutoCloseable {
  /** What the engine takes. */
  private static final int MOST_MODELS = 1_000_000;

  private final Network network;
  private final int models;
  private final Exchange exchange;
  private final Communicator communicator;
  private final Optimizer optimizer;
  private final Loss loss;
  private final Placement placement;
  private final NativeHandle<rs_ensemble> handle;
  private final Object turn = new Object();
  private final Model[] sources;
  private final double[] learningRates;
  private volatile boolean cancelled;
  private volatile boolean closing;

  private Ensemble(Builder builder) {
    Native.require();
    network = builder.network;
    models = builder.models;
    exchange = builder.exchange;
    communicator = builder.exchange.equals(Exchange.never()) ? null : builder.communicator;
    optimizer = builder.optimizer;
    placement = builder.place();
    rs_ensemble created = create(builder, placement.device());
    handle = new NativeHandle<>(this, "Ensemble", created, destroyer(communicator));
    if (communicator != null) {
      join(created);
    }
    loss = builder.loss;
    learningRates = builder.allLearningRates();
    sources = new Model[models];
    if (builder.initial == null) {
      Native.check(Engine.rs_ensemble_init(created, builder.seeds));
      Arrays.fill(sources, new Model(network, new float[network.parameterCount()]).withLoss(loss));
    } else {
      for (int k = 0; k < models; k++) {
        sources[k] = builder.initial.get(k).withLoss(loss);
        setParameters(k, sources[k].parameters());
      }
    }
  }

  private static rs_ensemble create(Builder builder, Device device) {
    int[] sizes = builder.network.sizes();
    int models = builder.models;
    rs_ensemble created = new rs_ensemble();
    long numbers = (long) models * Double.BYTES;
    long lrAt = Loader.sizeof(rs_ensemble_options.class);
    long momentumAt = lrAt + numbers;
    long decayAt = momentumAt + numbers;
    long dropoutSeedsAt = decayAt + numbers;
    long sizesAt = dropoutSeedsAt + (long) models * Long.BYTES;
    Pointer memory = Native.allocate(sizesAt + (long) sizes.length * Integer.BYTES);
    try {
      rs_ensemble_options options = new rs_ensemble_options(memory);
      rs_trainer_options model = options.model();
      model.sizes(new IntPointer(memory.getPointer(sizesAt)).put(sizes, 0, sizes.length)).size_count(sizes.length);
      model.activation(builder.network.activation().ordinal()).threads(device.threads());
      if (device.engine() == Device.Engine.CUDA) {
        model.engine(Engine.RS_ENGINE_CUDA).device(device.ordinals()[0]);
      }
      Trainer.settings(builder.optimizer, model.optimizer());
      model.loss().kind(builder.loss.kind().ordinal()).huber_delta(builder.loss.delta());
      model.shaping().l1(builder.l1).clip_norm(builder.clipNorm).clip_value(builder.clipValue);
      model.dropout(builder.dropout).dropout_seed(builder.dropoutSeed);
      options.models(models);
      if (builder.learningRates != null) {
        options.lr(new DoublePointer(memory.getPointer(lrAt)).put(builder.learningRates, 0, models));
      }
      if (builder.momenta != null) {
        options.momentum(new DoublePointer(memory.getPointer(momentumAt)).put(builder.momenta, 0, models));
      }
      if (builder.weightDecays != null) {
        options.weight_decay(new DoublePointer(memory.getPointer(decayAt)).put(builder.weightDecays, 0, models));
      }
      if (builder.dropoutSeeds != null) {
        options.dropout_seeds(new LongPointer(memory.getPointer(dropoutSeedsAt)).put(builder.dropoutSeeds, 0, models));
      }
      Native.check(Engine.rs_ensemble_create(options, created));
    } finally {
      Pointer.free(memory);
    }
    return created;
  }

  private static Consumer<rs_ensemble> destroyer(Communicator communicator) {
    return ensemble -> {
      Engine.rs_ensemble_destroy(ensemble);
      if (communicator != null) {
        communicator.release();
      }
    };
  }

  /** The communicator stays open until the ensemble is closed. */
  private void join(rs_ensemble created) {
    rs_communicator ranks = communicator.acquire();
    try {
      Native.check(Engine.rs_ensemble_set_communicator(created, ranks));
    } catch (RuntimeException e) {
      handle.close();
      throw e;
    }
  }

  /**
   * {@code models} models that start from random parameters: uniform ±1/√in, as PyTorch's {@code nn.Linear}.
   *
   * @param models from 1 to 1000000
   */
  public static Builder builder(Network network, int models) {
    if (models < 1 || models > MOST_MODELS) {
      throw new IllegalArgumentException("an ensemble has from 1 to " + MOST_MODELS + " models, but got " + models);
    }
    return new Builder(Objects.requireNonNull(network, "network"), models, null);
  }

  /** Starts from the parameters of {@code models}, all of one network, and keeps their names. */
  public static Builder builder(List<Model> models) {
    if (models.isEmpty()) {
      throw new IllegalArgumentException("an ensemble has at least one model");
    }
    Network network = models.get(0).network();
    for (Model model : models) {
      if (!model.network().equals(network)) {
        throw new IllegalArgumentException(
            "the models of an ensemble have one network, but these have " + network + " and " + model.network());
      }
    }
    return builder(network, models.size()).from(List.copyOf(models));
  }

  /**
   * Reads all models of a file that {@link #save} wrote, to go on with them in {@link #builder(List)}.
   *
   * @throws InvalidDataException if the file is missing or malformed
   */
  public static List<Model> load(Path file) {
    return ModelFile.loadAll(file);
  }

  /** Writes all models stacked, with shapes such as [models, out, in], whole or not at all. */
  public void save(Path file) throws IOException {
    ModelFile.saveAll(models(), file);
  }

  /** The network of every model. */
  public Network network() {
    return network;
  }

  /** Where it runs: the CPU or a GPU, never {@code auto}. */
  public Device device() {
    return placement.device();
  }

  /** Number of models. */
  public int size() {
    return models;
  }

  /**
   * One step of every model on the same rows. A model whose loss is not finite stops; see {@link #divergedAt}.
   *
   * @param x [rows, inputs], row-major
   * @param y [rows, outputs], row-major, of as many rows, at least 1
   */
  public void step(float[] x, float[] y) {
    int rows = x.length / network.inputs();
    if (rows == 0 || rows * network.inputs() != x.length || (long) rows * targets() != y.length) {
      throw new IllegalArgumentException(
          "x has " + x.length + " values and y has " + y.length + ": not the same number of rows, at least 1, of "
              + network.inputs() + " inputs and " + targets() + " targets");
    }
    run(ensemble -> Engine.rs_ensemble_step(ensemble, x, y, rows));
  }

  /** Each model's mean loss of its last step, before its update; NaN before the first one. */
  public double[] losses() {
    double[] losses = new double[models];
    run(ensemble -> Engine.rs_ensemble_losses(ensemble, losses));
    return losses;
  }

  /**
   * The 1-based number of the step whose loss made model {@code k} stop, of all since its parameters were set; empty
   * while it trains.
   */
  public OptionalLong divergedAt(int k) {
    requireModel(k);
    long[] steps = new long[models];
    run(ensemble -> Engine.rs_ensemble_failures(ensemble, steps));
    return steps[k] == 0 ? OptionalLong.empty() : OptionalLong.of(steps[k]);
  }

  /**
   * Trains every model for whole epochs on the same rows, in the same order: {@code fit}'s.
   *
   * <p>Schedules, validation, early stopping and averages of the weights are each model's own: a model that stops early
   * leaves its place to another, and ends with the parameters that it would have alone. Where models exchange, they are
   * as one in this; see {@link Exchange}. Checkpoints are a {@link Trainer}'s alone.
   *
   * @throws IllegalArgumentException if the fit has what an ensemble has not, or the rows are of another shape
   */
  public EnsembleResult fit(Dataset data, Fit fit) {
    return fit(RowsByModel.all(data), validation(data, fit), fit, null, k -> sources[k].withSource(data));
  }

  /**
   * Trains every model for whole epochs on the same rows, each in an order of its own.
   *
   * @param shuffleSeeds [models]; model k's order is that of {@code fit.shuffled(shuffleSeeds[k])}
   */
  public EnsembleResult fit(Dataset data, Fit fit, long... shuffleSeeds) {
    requireCount("shuffle seeds", shuffleSeeds.length);
    return fit(
        RowsByModel.all(data), validation(data, fit), fit.shuffled(0), shuffleSeeds.clone(), k -> sources[k].withSource(data));
  }

  /**
   * Trains model k on the rows of training of split k, and validates it with the others: the folds of a cross-validation,
   * for example. Every model shuffles with {@code fit}'s seed. Where models exchange, all must have the same validation rows:
   * those of one fold are rows of training of the others.
   *
   * @param splits [models], of one shape; the same split may stand there more than once
   * @param fit with no validation rows of its own
   */
  public EnsembleResult fit(List<Split> splits, Fit fit) {
    return fitSplits(splits, fit, null);
  }

  /**
   * The same, each model in an order of its own.
   *
   * @param shuffleSeeds [models]; model k's order is that of {@code fit.shuffled(shuffleSeeds[k])}
   */
  public EnsembleResult fit(List<Split> splits, Fit fit, long... shuffleSeeds) {
    requireCount("shuffle seeds", shuffleSeeds.length);
    return fitSplits(splits, fit.shuffled(0), shuffleSeeds.clone());
  }

  private EnsembleResult fitSplits(List<Split> splits, Fit fit, long[] seeds) {
    requireCount("splits", splits.size());
    requireNoRows(fit);
    splits.forEach(split -> requireAlike(split.training(), split.validation()));
    try (RowsByModel rows = RowsByModel.each(splits.stream().map(Split::training).toList());
        RowsByModel validation = RowsByModel.each(splits.stream().map(Split::validation).toList())) {
      return fit(rows, validation, fit, seeds, k -> sources[k].withSource(splits.get(k).training()));
    }
  }

  /** Trains model k on the rows of group k alone; every model shuffles with {@code fit}'s seed. */
  public EnsembleResult fit(GroupedDataset data, Fit fit) {
    return fitGroups(data, null, fit, null);
  }

  /**
   * Trains model k on the rows of group k alone.
   *
   * @param shuffleSeeds [models]; model k's order is that of {@code fit.shuffled(shuffleSeeds[k])}
   */
  public EnsembleResult fit(GroupedDataset data, Fit fit, long... shuffleSeeds) {
    requireCount("shuffle seeds", shuffleSeeds.length);
    return fitGroups(data, null, fit.shuffled(0), shuffleSeeds.clone());
  }

  /**
   * Trains model k on the rows of training of group k alone, and validates it with that group's others. A model whose group
   * has none of these is trained without validation, which means to the end; every model shuffles with {@code fit}'s seed.
   *
   * @param fit with no validation rows of its own
   */
  public EnsembleResult fit(GroupedSplit split, Fit fit) {
    return fitGroups(split.training(), split.validation(), fit, null);
  }

  /**
   * The same, each model in an order of its own.
   *
   * @param shuffleSeeds [models]; model k's order is that of {@code fit.shuffled(shuffleSeeds[k])}
   */
  public EnsembleResult fit(GroupedSplit split, Fit fit, long... shuffleSeeds) {
    requireCount("shuffle seeds", shuffleSeeds.length);
    return fitGroups(split.training(), split.validation(), fit.shuffled(0), shuffleSeeds.clone());
  }

  /** @param validation of the same groups, or null */
  private EnsembleResult fitGroups(GroupedDataset training, GroupedDataset validation, Fit fit, long[] seeds) {
    requireNoRows(fit);
    RowsByModel others = validation == null ? null : byModel(validation);
    return fit(byModel(training), others, fit, seeds, k -> sources[k].withSource(training, k));
  }

  private static void requireNoRows(Fit fit) {
    if (fit.validation() != null) {
      throw new IllegalArgumentException("splits and groups are validated with their own rows; leave Fit.validation out");
    }
  }

  /** Trains model k on its own rows, without naming their source. */
  EnsembleResult fit(RowsByModel rows, Fit fit) {
    return fit(rows, null, fit, null, k -> sources[k]);
  }

  /** Null where there is none. */
  private RowsByModel validation(Dataset data, Fit fit) {
    if (fit.validation() == null) {
      return null;
    }
    requireAlike(data, fit.validation());
    return RowsByModel.all(fit.validation());
  }

  private void requireAlike(Dataset training, Dataset validation) {
    requireShape(validation.inputs(), validation.outputs());
    if (!validation.standardizer().equals(training.standardizer())) {
      throw new IllegalArgumentException(
          "the validation rows are not standardized as those of training; use Split.standardized");
    }
  }

  private EnsembleResult fit(RowsByModel rows, RowsByModel validation, Fit fit, long[] seeds, IntFunction<Model> source) {
    requireShape(rows.data().inputs(), rows.data().outputs());
    requireSupported(fit, validation != null);
    requireCommonEpochs(fit, rows, validation);
    synchronized (turn) {
      cancelled = false;
      try {
        EnsembleLoop.Plan plan = new EnsembleLoop.Plan(rows, fit, seeds, exchange, communicator != null);
        agree(rows, validation, fit);
        EnsembleMonitor monitor = new EnsembleMonitor(handle.get(), fit, exchange, validation, learningRates);
        EnsembleResult result = new EnsembleLoop(handle.get(), models, plan, monitor, () -> cancelled || closing).run();
        for (int k = 0; k < models; k++) {
          sources[k] = source.apply(k);
        }
        return result;
      } catch (CollectiveException e) {
        throw communicator == null ? e : communicator.verdict(e);
      } finally {
        Reference.reachabilityFence(this);
      }
    }
  }

  /** Ranks that did something else would wait for each other, or never notice. */
  private void agree(RowsByModel rows, RowsByModel validation, Fit fit) {
    if (communicator == null) {
      return;
    }
    Map<String, String> facts = new LinkedHashMap<>();
    facts.put("network", network.toString());
    // The CPU and GPUs add up in orders of their own.
    facts.put("kind of device", placement.device().engine().name().toLowerCase(Locale.ROOT));
    facts.put("loss", loss.toString());
    facts.put("exchange", exchange + (exchange.weighted() ? ", weighted by samples" : ""));
    facts.put("epochs", Integer.toString(fit.epochs()));
    facts.put("batch", Long.toString(fit.batch()));
    facts.putAll(TrainingFacts.ofEpochs(fit, validation == null ? null : validation.data()));
    if (ownToEachModel(fit, validation != null) != null) {
      facts.put("rows", Long.toString(rows.rows(0)));
    }
    if (exchange.equals(Exchange.gradient())) {
      facts.put("optimizer", optimizer.toString());
      facts.put("learning rate", Double.toString(learningRates[0]));
      facts.put("order", fit.shuffle() ? "shuffled with seed " + fit.seed() : "not shuffled");
      facts.put("rows", Long.toString(rows.data().rows()));
      facts.put("data checksum", rows.data().read(TrainingFacts::checksum));
    }
    communicator.rendezvous().agree("ensemble", facts);
  }

  /**
   * Ends the fit under way, if any, within milliseconds, of many thousand models within a tenth of a second; it returns
   * what it did so far. Where ranks exchange, all of them end after the same exchange. Models that are averaged are then as
   * they are, but with early stopping or averages of weights what they have learned together, as at the end.
   */
  public void cancel() {
    cancelled = true;
  }

  /** The mean loss of every model over all rows, in the targets' own units where the data was standardized. */
  public double[] evaluate(Dataset data) {
    return evaluate(RowsByModel.all(data));
  }

  /**
   * The mean loss of model k over the rows of {@code rows.get(k)}, in the targets' own units where they were standardized.
   *
   * @param rows [models], of one shape
   */
  public double[] evaluate(List<Dataset> rows) {
    requireCount("sets of rows", rows.size());
    try (RowsByModel all = RowsByModel.each(rows)) {
      return evaluate(all);
    }
  }

  /** The mean loss of model k over the rows of group k, in the targets' own units; NaN where it has none. */
  public double[] evaluate(GroupedDataset data) {
    return evaluate(byModel(data));
  }

  double[] evaluate(RowsByModel rows) {
    requireShape(rows.data().inputs(), rows.data().outputs());
    double[] losses = new double[models];
    rs_dataset dataset = rows.data().acquire();
    try {
      run(ensemble ->
          Engine.rs_ensemble_evaluate(
              ensemble, dataset, rows.firstRows(), rows.counts(), rows.targetScales(models), losses));
    } finally {
      rows.data().release();
    }
    return losses;
  }

  /**
   * Every model's answers, in the units it was trained in.
   *
   * @param x [rows, inputs], row-major
   * @return [models][rows, outputs], row-major
   */
  public float[][] predict(float[] x) {
    int rows = x.length / network.inputs();
    if (rows * network.inputs() != x.length) {
      throw new IllegalArgumentException(
          "x has " + x.length + " values, not whole rows of " + network.inputs() + " inputs");
    }
    int width = Math.multiplyExact(rows, network.outputs());
    float[] all = new float[Math.multiplyExact(models, width)];
    run(ensemble -> Engine.rs_ensemble_predict(ensemble, x, rows, all));
    float[][] answers = new float[models][];
    for (int k = 0; k < models; k++) {
      answers[k] = Arrays.copyOfRange(all, k * width, (k + 1) * width);
    }
    return answers;
  }

  /**
   * The mean of the answers of all models that did not diverge, and how far they spread: their standard deviation, which
   * tells how unsure the ensemble is. In the units it was trained in.
   *
   * @param x [rows, inputs], row-major
   * @throws IllegalStateException if all models diverged
   */
  public Prediction predictMean(float[] x) {
    long[] failures = new long[models];
    float[][] answers;
    synchronized (turn) {
      answers = predict(x);
      run(ensemble -> Engine.rs_ensemble_failures(ensemble, failures));
    }
    List<float[]> sound = new ArrayList<>();
    for (int k = 0; k < models; k++) {
      if (failures[k] == 0) {
        sound.add(answers[k]);
      }
    }
    if (sound.isEmpty()) {
      throw new IllegalStateException("all " + models + " models diverged; lower the learning rates");
    }
    return Prediction.of(sound);
  }

  /**
   * What an ensemble as a whole answers.
   *
   * @param mean [rows, outputs], the mean over the models
   * @param spread [rows, outputs], the standard deviation over the models (with n as the divisor)
   */
  public record Prediction(float[] mean, float[] spread) {
    static Prediction of(List<float[]> answers) {
      int count = answers.get(0).length;
      float[] mean = new float[count];
      float[] spread = new float[count];
      for (int i = 0; i < count; i++) {
        double sum = 0;
        for (float[] own : answers) {
          sum += own[i];
        }
        double center = sum / answers.size();
        double squares = 0;
        for (float[] own : answers) {
          squares += (own[i] - center) * (own[i] - center);
        }
        mean[i] = (float) center;
        spread[i] = (float) Math.sqrt(squares / answers.size());
      }
      return new Prediction(mean, spread);
    }
  }

  /** A copy of the parameters of model {@code k}, in the layout of {@link Network#parameters()}. */
  public float[] parameters(int k) {
    requireModel(k);
    float[] parameters = new float[network.parameterCount()];
    run(ensemble -> Engine.rs_ensemble_get_parameters(ensemble, k, parameters, parameters.length));
    return parameters;
  }

  /** Replaces the parameters of model {@code k} and forgets its optimizer's state; if it had diverged, it trains again. */
  public void setParameters(int k, float[] parameters) {
    requireModel(k);
    run(ensemble -> Engine.rs_ensemble_set_parameters(ensemble, k, parameters, parameters.length));
  }

  /** Each model's learning rate from its next step on. */
  public void setLearningRates(double... learningRates) {
    requireCount("learning rates", learningRates.length);
    Builder.requireNonNegative("learning rate", learningRates);
    synchronized (turn) {
      run(ensemble -> Engine.rs_ensemble_set_learning_rates(ensemble, learningRates));
      System.arraycopy(learningRates, 0, this.learningRates, 0, models);
    }
  }

  /** Model {@code k} as it is now, with the standardizer and the names of the data it was last fitted to. */
  public Model model(int k) {
    synchronized (turn) {
      return sources[requireModel(k)].withParameters(parameters(k));
    }
  }

  /** All models as they are now. */
  public List<Model> models() {
    synchronized (turn) {
      List<Model> all = new ArrayList<>(models);
      for (int k = 0; k < models; k++) {
        all.add(model(k));
      }
      return all;
    }
  }

  /**
   * The models of all ranks' ensembles, those of rank 0 first, as they are now: each with the standardizer and the names
   * of this rank's first. All ranks call it, with ensembles of one network fitted to the same data.
   *
   * @throws CollectiveException if a rank does not
   */
  public List<Model> gatherModels(Communicator ranks) {
    synchronized (turn) {
      return gatherParameters(ranks).stream().map(sources[0]::withParameters).toList();
    }
  }

  /**
   * The same of ensembles that were fitted to parts of {@code data}, in the order of the ranks: each model with the
   * standardizer of its group.
   *
   * @throws IllegalArgumentException if there are not as many models as groups
   */
  public List<Model> gatherModels(Communicator ranks, GroupedDataset data) {
    synchronized (turn) {
      List<float[]> all = gatherParameters(ranks);
      if (all.size() != data.groups()) {
        throw new IllegalArgumentException("there are " + all.size() + " models for " + data.groups() + " groups");
      }
      return IntStream.range(0, all.size())
          .mapToObj(g -> sources[0].withSource(data, g).withParameters(all.get(g)))
          .toList();
    }
  }

  private List<float[]> gatherParameters(Communicator ranks) {
    ByteBuffer own = ByteBuffer.allocate(Math.multiplyExact(models, network.parameterCount() * Float.BYTES));
    FloatBuffer ownValues = own.asFloatBuffer();
    for (int k = 0; k < models; k++) {
      ownValues.put(parameters(k));
    }
    List<float[]> all = new ArrayList<>();
    for (byte[] bytes : ranks.allGather(own.array())) {
      FloatBuffer values = ByteBuffer.wrap(bytes).asFloatBuffer();
      while (values.hasRemaining()) {
        float[] parameters = new float[network.parameterCount()];
        values.get(parameters);
        all.add(parameters);
      }
    }
    return all;
  }

  /** Waits for a call in flight, cancelling a fit, then frees everything. */
  @Override
  public void close() {
    closing = true;
    synchronized (turn) {
      handle.close();
    }
  }

  private void run(Function<rs_ensemble, Integer> call) {
    synchronized (turn) {
      try {
        Native.check(call.apply(handle.get()));
      } finally {
        Reference.reachabilityFence(this);
      }
    }
  }

  private RowsByModel byModel(GroupedDataset data) {
    if (data.groups() != models) {
      throw new IllegalArgumentException(
          "the data has " + data.groups() + " groups, but the ensemble " + models + " models; it needs one for each group");
    }
    return data.byModel();
  }

  private int requireModel(int k) {
    return Objects.checkIndex(k, models);
  }

  private void requireCount(String what, int count) {
    if (count != models) {
      throw new IllegalArgumentException(count + " " + what + " for " + models + " models");
    }
  }

  /** Targets of a row. */
  private int targets() {
    return loss.targets(network.outputs());
  }

  private void requireSupported(Fit fit, boolean validates) {
    if (fit.patience() > 0 && !validates) {
      throw new IllegalArgumentException("early stopping needs validation rows; see Fit.validation");
    }
    if (fit.checkpoints() != Fit.Checkpoints.NONE) {
      throw new IllegalArgumentException("an ensemble's fit has no checkpoints; use a Trainer for each model");
    }
  }

  /** Models that exchange are validated as one, and where they are averaged have one end of an epoch. */
  private void requireCommonEpochs(Fit fit, RowsByModel rows, RowsByModel validation) {
    if (exchange.equals(Exchange.never())) {
      return;
    }
    if (validation != null && validation.firstRows() != null) {
      throw new IllegalArgumentException(
          "models that exchange " + exchange + " learn from each other's rows, which cannot validate them;"
              + " give all of them the same validation rows, or let them exchange nothing");
    }
    String own = ownToEachModel(fit, validation != null);
    for (int k = 1; k < models && own != null && exchange.kind() == Exchange.Kind.AVERAGE; k++) {
      if (rows.rows(k) != rows.rows(0)) {
        throw new IllegalArgumentException(
            "models that exchange " + exchange + " have " + own + " only with as many rows each, but model 0 has "
                + rows.rows(0) + " and model " + k + " has " + rows.rows(k));
      }
    }
  }

  /** What a fit may ask for that is decided between epochs; null where it asks for nothing of it. */
  private static String ownToEachModel(Fit fit, boolean validates) {
    return validates ? "validation and early stopping"
        : fit.schedule().kind() == Schedule.Kind.PLATEAU ? "reduce-on-plateau"
        : fit.average() != Fit.Average.NONE ? "averages of weights" : null;
  }

  private void requireShape(int inputs, int outputs) {
    if (inputs != network.inputs() || outputs != targets()) {
      throw new IllegalArgumentException(
          "the data has " + inputs + " inputs and " + outputs + " targets, but network " + network + " takes "
              + network.inputs() + " and is trained on " + targets());
    }
  }

  /** Settings of a new {@link Ensemble}. An array gives every model its own value. */
  public static final class Builder {
    private final Network network;
    private final int models;
    private final long[] seeds;
    private List<Model> initial;
    private Optimizer optimizer = new Sgd(0.01);
    private Device device = Device.auto();
    private long rows;
    private Fit fit;
    private Exchange exchange = Exchange.never();
    private Communicator communicator;
    private Loss loss = Loss.MSE;
    private double l1;
    private double clipNorm;
    private double clipValue;
    private double dropout;
    private long dropoutSeed;
    private long[] dropoutSeeds;
    private double[] learningRates;
    private double[] momenta;
    private double[] weightDecays;

    private Builder(Network network, int models, List<Model> initial) {
      this.network = network;
      this.models = models;
      this.initial = initial;
      this.seeds = new long[models];
      seed(0);
    }

    private Builder from(List<Model> models) {
      initial = models;
      loss = models.get(0).loss();
      return this;
    }

    /** What every model has, where no array says otherwise. Default: plain SGD with learning rate 0.01. */
    public Builder optimizer(Optimizer optimizer) {
      this.optimizer = Objects.requireNonNull(optimizer, "optimizer");
      return this;
    }

    /** Model k starts from the random parameters of seed {@code first + k}. Default: 0. */
    public Builder seed(long first) {
      Arrays.setAll(seeds, k -> first + k);
      return this;
    }

    /** Seed of each model's random parameters. Unused when it starts from models. */
    public Builder seeds(long... seeds) {
      requireCount("seeds", seeds.length);
      System.arraycopy(seeds, 0, this.seeds, 0, models);
      return this;
    }

    /** Each model's learning rate. */
    public Builder learningRates(double... learningRates) {
      requireCount("learning rates", learningRates.length);
      requireNonNegative("learning rate", learningRates);
      this.learningRates = learningRates.clone();
      return this;
    }

    /** Each model's momentum; only {@link Sgd} has one. */
    public Builder momenta(double... momenta) {
      requireCount("momenta", momenta.length);
      requireNonNegative("momentum", momenta);
      this.momenta = momenta.clone();
      return this;
    }

    /** Each model's weight decay. */
    public Builder weightDecays(double... weightDecays) {
      requireCount("weight decays", weightDecays.length);
      requireNonNegative("weight decay", weightDecays);
      this.weightDecays = weightDecays.clone();
      return this;
    }

    /** What the models tell each other in a fit. Default: {@link Exchange#never()}. */
    public Builder exchange(Exchange exchange) {
      this.exchange = Objects.requireNonNull(exchange, "exchange");
      return this;
    }

    /**
     * Exchanges reach over the models of all ranks' ensembles, each of which has some of them: with {@link
     * Exchange#average} every model takes the mean of all, with the same bits for any number of ranks; with {@link
     * Exchange#gradient} all start from model 0 of rank 0 and share out every step. All ranks fit alike, each with its own
     * models' rows and orders, on the CPU or each on a GPU; what must be the same is compared. The communicator stays the
     * caller's to close, after this ensemble, and makes no difference where nothing is exchanged.
     */
    public Builder communicator(Communicator communicator) {
      this.communicator = Objects.requireNonNull(communicator, "communicator");
      return this;
    }

    /**
     * Default: {@link Device#auto()}, which is the CPU unless {@link #expecting} tells of work that suits a GPU.
     *
     * <p>On a GPU, ensembles have every optimizer, exchange and {@link Loss#MSE}, steps of up to 1024 rows, with {@link
     * Exchange#gradient()} of any number, and small networks of one hidden layer and one output. {@link #build} or {@link
     * Ensemble#fit} refuses what is beyond that. Model k has the same bits as a {@link Trainer} of its own on that GPU.
     */
    public Builder device(Device device) {
      this.device = Objects.requireNonNull(device, "device");
      return this;
    }

    /**
     * Tells {@link Device#auto()} of the work ahead: {@code fit} of every model on {@code rows} rows.
     *
     * @param rows at least 1
     */
    public Builder expecting(long rows, Fit fit) {
      if (rows < 1) {
        throw new IllegalArgumentException("rows must be at least 1, but is " + rows);
      }
      this.rows = rows;
      this.fit = Objects.requireNonNull(fit, "fit");
      return this;
    }

    /**
     * Where {@link #build} would put the ensemble, and why.
     *
     * @throws CudaException if a GPU was asked for and cannot be used
     */
    public Backends.Choice choice() {
      Placement placement = place();
      return new Backends.Choice(placement.device(), placement.reason());
    }

    private Placement place() {
      CostModel.Work work = fit == null ? null : CostModel.Work.of(network, optimizer, rows, fit);
      int atWork = exchangesGradients() ? 1 : models;
      Placement placement = Placement.of(device, work, atWork, lack(), CudaLibrary::unavailable);
      if (placement.device().ordinals().length > 1) {
        throw new IllegalArgumentException("device " + placement.device() + ": an ensemble runs on one GPU");
      }
      return placement;
    }

    /**
     * What these settings and {@link #expecting the work} ask for that ensembles on a GPU do not have, such as "this loss";
     * empty where they have it all.
     */
    public Optional<String> beyondGpu() {
      boolean shaped = l1 > 0 || clipNorm > 0 || clipValue > 0 || dropout > 0;
      long batch = fit == null || exchangesGradients() ? 1 : Math.min(fit.batch(), rows);
      return Optional.ofNullable(
          loss.kind() != Loss.Kind.MSE ? "this loss"
              : shaped ? "penalties, clipping and dropout"
              : CostModel.beyondPersistent(network, batch));
    }

    /** Why the ensemble does not go to a GPU; null where it may. */
    private String lack() {
      boolean chosen = (device == Device.auto() ? Device.automatic() : device).engine() != Device.Engine.AUTO;
      return fit == null && !chosen
          ? "a way to tell whether the work suits them; see Ensemble.Builder.expecting"
          : beyondGpu().orElse(null);
    }

    /** All models are then one, which is trained as a {@link Trainer} is. */
    private boolean exchangesGradients() {
      return exchange.equals(Exchange.gradient());
    }

    /** As {@link Trainer.Builder#loss}. */
    public Builder loss(Loss loss) {
      this.loss = Objects.requireNonNull(loss, "loss");
      return this;
    }

    /** As {@link Trainer.Builder#l1}. */
    public Builder l1(double l1) {
      Hyperparameters.requireNonNegative("l1", l1);
      this.l1 = l1;
      return this;
    }

    /** As {@link Trainer.Builder#clipNorm}, for each model. */
    public Builder clipNorm(double norm) {
      Hyperparameters.requirePositive("clip norm", norm);
      this.clipNorm = norm;
      return this;
    }

    /** As {@link Trainer.Builder#clipValue}. */
    public Builder clipValue(double value) {
      Hyperparameters.requirePositive("clip value", value);
      this.clipValue = value;
      return this;
    }

    /** As {@link Trainer.Builder#dropout}, with the same seed for each model. */
    public Builder dropout(double probability, long seed) {
      Hyperparameters.requireFraction("dropout", probability);
      this.dropout = probability;
      this.dropoutSeed = seed;
      this.dropoutSeeds = null;
      return this;
    }

    /**
     * The same with a seed for each model.
     *
     * @param seeds [models]
     */
    public Builder dropout(double probability, long... seeds) {
      requireCount("dropout seeds", seeds.length);
      dropout(probability, 0L);
      this.dropoutSeeds = seeds.clone();
      return this;
    }

    private double[] allLearningRates() {
      if (learningRates != null) {
        return learningRates.clone();
      }
      double[] all = new double[models];
      Arrays.fill(all, optimizer.learningRate());
      return all;
    }

    /**
     * Makes the ensemble, to be closed by the caller.
     *
     * @throws IllegalArgumentException if the settings do not go together, or a GPU was asked for and its engine lacks one
     * @throws CudaException if a GPU was asked for and cannot be used
     */
    public Ensemble build() {
      if (momenta != null && !(optimizer instanceof Sgd)) {
        throw new IllegalArgumentException("momenta are for Sgd; " + optimizer.getClass().getSimpleName() + " has its own");
      }
      return new Ensemble(this);
    }

    private void requireCount(String what, int count) {
      if (count != models) {
        throw new IllegalArgumentException(count + " " + what + " for " + models + " models");
      }
    }

    private static void requireNonNegative(String what, double[] values) {
      for (int k = 0; k < values.length; k++) {
        Hyperparameters.requireNonNegative(what + " of model " + k, values[k]);
      }
    }
  }
}
