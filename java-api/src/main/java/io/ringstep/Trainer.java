package io.ringstep;

import io.ringstep.engine.Engine;
import io.ringstep.engine.Engine.rs_communicator;
import io.ringstep.engine.Engine.rs_optimizer;
import io.ringstep.engine.Engine.rs_trainer;
import io.ringstep.engine.Engine.rs_trainer_options;
import io.ringstep.internal.Native;
import io.ringstep.internal.NativeHandle;
import io.ringstep.internal.Staging;
import java.lang.ref.Reference;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.Function;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;

/**
 * A network in training: its parameters, its optimizer's state, and the steps that change them.
 *
 * <p>The loss is the mean squared error, the mean over rows and outputs of (prediction − y)², unless
 * {@link Builder#loss} says otherwise. For the same data, seeds and calls the parameters have the same bits for any number of threads.
 *
 * <p>Any thread may call any method. Calls on one trainer run one after the other, so a call waits
 * for a {@link #fit} under way; {@link #cancel()} ends that early. {@code step} allocates nothing.
 */
public final class Trainer implements AutoCloseable {
  private final Network network;
  private final Optimizer optimizer;
  private final Communicator communicator;
  private final Loss loss;
  private final Placement placement;
  private final Map<String, String> settings;
  private final NativeHandle<rs_trainer> handle;
  private final Object turn = new Object();
  private final Staging stagedX = new Staging();
  private final Staging stagedY = new Staging();
  private Model model;
  private long steps;
  private double learningRate;
  private volatile boolean cancelled;
  private volatile boolean closing;

  private Trainer(Builder builder) {
    Native.require();
    network = builder.network;
    optimizer = builder.optimizer;
    communicator = builder.communicator;
    loss = builder.loss;
    learningRate = builder.optimizer.learningRate();
    placement = builder.place();
    settings = builder.settings(placement.device());
    rs_trainer created = create(builder, placement.device());
    handle = new NativeHandle<>(this, "Trainer", created, destroyer(stagedX, stagedY, communicator));
    if (communicator != null) {
      join(created, builder.reduction);
    }
    model = builder.model;
    if (model == null) {
      Native.check(Engine.rs_trainer_init(created, builder.seed));
      model = new Model(network, parameters());
    } else {
      setParameters(model.parameters());
    }
    model = model.withLoss(loss);
  }

  private static rs_trainer create(Builder builder, Device device) {
    int[] sizes = builder.network.sizes();
    rs_trainer created = new rs_trainer();
    long sizesAt = Loader.sizeof(rs_trainer_options.class);
    Pointer memory = Native.allocate(sizesAt + (long) sizes.length * Integer.BYTES);
    try {
      rs_trainer_options options = new rs_trainer_options(memory);
      IntPointer nativeSizes = new IntPointer(memory.getPointer(sizesAt)).put(sizes, 0, sizes.length);
      options.sizes(nativeSizes).size_count(sizes.length);
      options.activation(builder.network.activation().ordinal()).threads(device.threads());
      options.precision(builder.precision == Precision.TF32 ? Engine.RS_TF32 : Engine.RS_FLOAT32);
      if (device.engine() == Device.Engine.CUDA) {
        options.engine(Engine.RS_ENGINE_CUDA).device(device.ordinals()[0]);
      }
      settings(builder.optimizer, options.optimizer());
      options.loss().kind(builder.loss.kind().ordinal()).huber_delta(builder.loss.delta());
      options.shaping().l1(builder.l1).clip_norm(builder.clipNorm).clip_value(builder.clipValue);
      options.dropout(builder.dropout).dropout_seed(builder.dropoutSeed);
      options.collapse(builder.collapsed ? 1 : 0);
      Native.check(Engine.rs_trainer_create(options, created));
    } finally {
      Pointer.free(memory);
    }
    return created;
  }

  /** What frees a trainer; it may know the parts but not the whole, which may be lost by then. */
  private static Consumer<rs_trainer> destroyer(Staging x, Staging y, Communicator communicator) {
    return trainer -> {
      Engine.rs_trainer_destroy(trainer);
      if (communicator != null) {
        communicator.release();
      }
      x.close();
      y.close();
    };
  }

  /** The communicator stays open until the trainer is closed. */
  private void join(rs_trainer created, Communicator.Reduction reduction) {
    rs_communicator ranks = communicator.acquire();
    try {
      Native.check(Engine.rs_trainer_set_communicator(created, ranks, reduction.ordinal()));
    } catch (RuntimeException e) {
      handle.close();
      throw e instanceof CollectiveException seen ? communicator.verdict(seen) : e;
    }
  }

  /** A trainer for {@code network} with {@code optimizer}, from random parameters. */
  public static Trainer of(Network network, Optimizer optimizer) {
    return builder(network).optimizer(optimizer).build();
  }

  /** Starts from random parameters: uniform ±1/√in, as PyTorch's {@code nn.Linear}. */
  public static Builder builder(Network network) {
    return new Builder(Objects.requireNonNull(network, "network"), null);
  }

  /** Starts from the parameters of {@code model}, and keeps its standardizer and names. */
  public static Builder builder(Model model) {
    return new Builder(model.network(), model);
  }

  /** The network. */
  public Network network() {
    return network;
  }

  /** The loss. */
  public Loss lossFunction() {
    return loss;
  }

  /** Where it runs: what {@link Device#auto()} led to, or what was asked for. */
  public Device device() {
    return placement.device();
  }

  /** Why {@link Device#auto()} led there, in a phrase; empty where the device was asked for by name. */
  public String deviceReason() {
    return placement.reason();
  }

  /**
   * What computes a step on {@code batch} rows, in a word: on the CPU {@code small-network}, {@code row} or {@code batch},
   * on a GPU {@code persistent}, {@code fused}, {@code fused-tf32} or {@code layered}. It depends on the network, the
   * optimizer and the batch alone.
   *
   * @param batch at least 1
   */
  public String path(long batch) {
    if (batch < 1) {
      throw new IllegalArgumentException("batch must be at least 1, but is " + batch);
    }
    return call(trainer -> Engine.rs_trainer_path(trainer, batch).getString());
  }

  /**
   * One step: forward, backward, and an update with the mean gradient.
   *
   * @param x [rows, inputs], row-major
   * @param y [rows, outputs], row-major, of as many rows, at least 1; with {@link Loss#CROSS_ENTROPY} [rows], the classes
   * @throws DivergedException if the loss is NaN or infinite; the parameters are as before
   */
  public void step(float[] x, float[] y) {
    long rows = rows(x.length, y.length);
    synchronized (turn) {
      long trainer = handle.address();
      finishStep(Engine.rs_trainer_step(trainer, stagedX.put(x), stagedY.put(y), rows));
    }
  }

  /**
   * One step on the rows between the buffers' positions and limits, which stay as they are. Large
   * direct buffers in native byte order are read in place; others are copied.
   *
   * @see #step(float[], float[])
   */
  public void step(FloatBuffer x, FloatBuffer y) {
    long rows = rows(x.remaining(), y.remaining());
    synchronized (turn) {
      finishStep(
          inPlace(x) && inPlace(y)
              ? Engine.rs_trainer_step(handle.get(), x, y, rows)
              : Engine.rs_trainer_step(handle.address(), stagedX.put(x), stagedY.put(y), rows));
    }
  }

  private void finishStep(int status) {
    Reference.reachabilityFence(this);
    if (status == Engine.RS_NON_FINITE) {
      throw new DivergedException(steps + 1);
    }
    check(status);
    steps++;
  }

  /** What other ranks know of a failure counts. */
  private void check(int status) {
    try {
      Native.check(status);
    } catch (CollectiveException e) {
      throw communicator.verdict(e);
    }
  }

  /** The mean loss of the last step, before its update; NaN before the first one. */
  public double loss() {
    return call(Engine::rs_trainer_loss);
  }

  /**
   * Trains for whole epochs in the engine.
   *
   * <p>With a {@link Communicator}, all ranks fit alike: what differs is refused. Where one is cancelled
   * all end, after the same step.
   *
   * @throws DivergedException if the loss becomes NaN or infinite; the parameters are those of the
   *     last finite step
   * @throws CollectiveException if another rank fails; the parameters are those of the last step that
   *     was applied
   */
  public FitResult fit(Dataset data, Fit fit) {
    requireShape(data);
    requireSense(data, fit);
    synchronized (turn) {
      cancelled = false;
      return call(
          trainer -> {
            EpochMonitor monitor = new EpochMonitor(trainer, network, fit, () -> learningRate);
            TrainingFacts facts = new TrainingFacts(network, optimizer, settings, data, fit);
            Checkpointing checkpoints =
                new Checkpointing(
                    fit.checkpoints(), facts, communicator, parameters -> model.withSource(data).withParameters(parameters),
                    () -> learningRate, this::setLearningRate);
            FitLoop loop =
                new FitLoop(
                    trainer, data, fit, monitor, () -> cancelled || closing, steps, checkpoints, communicator != null);
            model = model.withSource(data);
            try {
              return loop.run();
            } catch (CollectiveException e) {
              throw communicator.verdict(e);
            } finally {
              steps += loop.steps();
            }
          });
    }
  }

  /** Ends the {@link #fit} under way, if any, within milliseconds; it returns what it did so far. */
  public void cancel() {
    cancelled = true;
  }

  /** The mean loss over all rows, in the targets' own units where the data was standardized. */
  public double evaluate(Dataset data) {
    requireShape(data);
    return call(trainer -> data.evaluate(trainer));
  }

  /**
   * The gradient of the mean loss, in the layout of {@link Network#parameters()}. No update.
   *
   * @param x [rows, inputs], row-major
   * @param y [rows, outputs], row-major, of as many rows, at least 1
   */
  public float[] gradient(float[] x, float[] y) {
    long rows = rows(x.length, y.length);
    float[] gradient = new float[network.parameterCount()];
    double[] loss = new double[1];
    return call(
        trainer -> {
          Native.check(
              Engine.rs_trainer_gradient(trainer, x, y, rows, gradient, gradient.length, loss));
          return gradient;
        });
  }

  /**
   * The network's answers, in the units it was trained in; {@link Model#predict} restores the
   * targets' own.
   *
   * @param x [rows, inputs], row-major
   * @return [rows, outputs], row-major
   */
  public float[] predict(float[] x) {
    int rows = predictionRows(x.length);
    float[] y = new float[Math.multiplyExact(rows, network.outputs())];
    synchronized (turn) {
      long trainer = handle.address();
      Native.check(Engine.rs_trainer_predict(trainer, stagedX.put(x), rows, stagedY.reserve(y.length)));
      Reference.reachabilityFence(this);
      stagedY.get(y);
    }
    return y;
  }

  /**
   * The network's answers to the rows of {@code x}, written to {@code y} between its position and
   * limit; both stay as they are. Large direct buffers in native byte order are used in place.
   *
   * @see #predict(float[])
   */
  public void predict(FloatBuffer x, FloatBuffer y) {
    int rows = predictionRows(x.remaining());
    if (y.remaining() != (long) rows * network.outputs()) {
      throw new IllegalArgumentException(
          "y has room for " + y.remaining() + " values where " + (long) rows * network.outputs() + " are needed");
    }
    if (y.isReadOnly()) {
      throw new IllegalArgumentException("y is read-only");
    }
    synchronized (turn) {
      if (inPlace(x) && inPlace(y)) {
        Native.check(Engine.rs_trainer_predict(handle.get(), x, rows, y));
      } else {
        long trainer = handle.address();
        Native.check(
            Engine.rs_trainer_predict(trainer, stagedX.put(x), rows, stagedY.reserve(y.remaining())));
        stagedY.get(y);
      }
      Reference.reachabilityFence(this);
    }
  }

  /**
   * The probabilities that the network's answers stand for: with {@link Loss#BCE} 1 / (1 + exp(−z)) of each output, with
   * {@link Loss#CROSS_ENTROPY} exp(z_c) / Σ exp(z_k) of each class. With other losses, the answers themselves.
   *
   * @param x [rows, inputs], row-major
   * @return [rows, outputs], row-major
   */
  public float[] probabilities(float[] x) {
    int rows = predictionRows(x.length);
    float[] y = new float[Math.multiplyExact(rows, network.outputs())];
    return call(
        trainer -> {
          Native.check(Engine.rs_trainer_probabilities(trainer, x, rows, y));
          return y;
        });
  }

  /** A copy of all parameters, in the layout of {@link Network#parameters()}. */
  public float[] parameters() {
    float[] parameters = new float[network.parameterCount()];
    return call(
        trainer -> {
          Native.check(Engine.rs_trainer_get_parameters(trainer, parameters, parameters.length));
          return parameters;
        });
  }

  /** Replaces all parameters and forgets the optimizer's state. */
  public void setParameters(float[] parameters) {
    call(
        trainer -> {
          Native.check(Engine.rs_trainer_set_parameters(trainer, parameters, parameters.length));
          return null;
        });
  }

  /** The learning rate from the next step on. */
  public void setLearningRate(double learningRate) {
    Hyperparameters.requireNonNegative("learning rate", learningRate);
    call(
        trainer -> {
          Native.check(Engine.rs_trainer_set_learning_rate(trainer, learningRate));
          this.learningRate = learningRate;
          return null;
        });
  }

  /**
   * The network with its parameters as they are now, and with the standardizer and the column names
   * of the data it was last fitted to.
   */
  public Model model() {
    synchronized (turn) {
      return model.withParameters(parameters());
    }
  }

  /** Waits for a call in flight, cancelling a {@link #fit}, then frees everything. */
  @Override
  public void close() {
    // Not cancel(): a fit that is about to begin would undo it.
    closing = true;
    synchronized (turn) {
      handle.close();
    }
  }

  private <T> T call(Function<rs_trainer, T> function) {
    synchronized (turn) {
      try {
        return function.apply(handle.get());
      } finally {
        Reference.reachabilityFence(this);
      }
    }
  }

  private long rows(int xLength, int yLength) {
    int rows = xLength / network.inputs();
    if (rows == 0 || rows * network.inputs() != xLength || (long) rows * targets() != yLength) {
      throw new IllegalArgumentException(
          "x has " + xLength + " values and y has " + yLength + ": not the same number of rows, at least 1, of "
              + network.inputs() + " inputs and " + targets() + (isOverClasses() ? " class" : " outputs"));
    }
    return rows;
  }

  /** Targets of a row. */
  private int targets() {
    return loss.targets(network.outputs());
  }

  private boolean isOverClasses() {
    return loss.kind() == Loss.Kind.CROSS_ENTROPY;
  }

  private int predictionRows(int xLength) {
    if (xLength % network.inputs() != 0) {
      throw new IllegalArgumentException(
          "x has " + xLength + " values, not whole rows of " + network.inputs() + " inputs");
    }
    return xLength / network.inputs();
  }

  private void requireShape(Dataset data) {
    if (data.inputs() != network.inputs() || data.outputs() != targets()) {
      throw new IllegalArgumentException(
          "the data has " + data.inputs() + " inputs and " + data.outputs() + " targets, but network " + network
              + " takes " + network.inputs() + " and "
              + (isOverClasses() ? "cross-entropy 1" : "gives " + network.outputs()));
    }
  }

  private void requireSense(Dataset data, Fit fit) {
    if (fit.validation() == null) {
      if (fit.patience() > 0) {
        throw new IllegalArgumentException("early stopping needs validation rows; see Fit.validation");
      }
      return;
    }
    requireShape(fit.validation());
    if (!fit.validation().standardizer().equals(data.standardizer())) {
      throw new IllegalArgumentException(
          "the validation rows are not standardized as those of training; use Split.standardized");
    }
  }

  /** Whether to lend a buffer's memory to the engine. To find it costs more than to copy a little. */
  private static boolean inPlace(FloatBuffer buffer) {
    return buffer.remaining() > 256 && buffer.isDirect() && buffer.order() == ByteOrder.nativeOrder();
  }

  static rs_optimizer settings(Optimizer optimizer, rs_optimizer settings) {
    settings.lr(optimizer.learningRate());
    if (optimizer instanceof Sgd sgd) {
      return settings
          .kind(Engine.RS_SGD)
          .momentum(sgd.momentum())
          .nesterov(sgd.nesterov() ? 1 : 0)
          .weight_decay(sgd.weightDecay());
    }
    if (optimizer instanceof Adam adam) {
      return settings
          .kind(Engine.RS_ADAM)
          .beta1(adam.beta1())
          .beta2(adam.beta2())
          .eps(adam.epsilon())
          .weight_decay(adam.weightDecay());
    }
    AdamW adamW = (AdamW) optimizer;
    return settings
        .kind(Engine.RS_ADAMW)
        .beta1(adamW.beta1())
        .beta2(adamW.beta2())
        .eps(adamW.epsilon())
        .weight_decay(adamW.weightDecay());
  }

  /** Settings of a new {@link Trainer}. */
  public static final class Builder {
    private final Network network;
    private final Model model;
    private Optimizer optimizer = new Sgd(0.01);
    private Device device = Device.auto();
    private Communicator communicator;
    private Communicator.Reduction reduction = Communicator.Reduction.EXACT;
    private Precision precision = Precision.FLOAT32;
    private long rows;
    private Fit fit;
    private boolean weighted;
    private long seed;
    private Loss loss;
    private double l1;
    private double clipNorm;
    private double clipValue;
    private double dropout;
    private long dropoutSeed;
    private boolean collapsed;

    private Builder(Network network, Model model) {
      this.network = network;
      this.model = model;
      this.loss = model == null ? Loss.MSE : model.loss();
    }

    /** Default: plain SGD with learning rate 0.01. */
    public Builder optimizer(Optimizer optimizer) {
      this.optimizer = Objects.requireNonNull(optimizer, "optimizer");
      return this;
    }

    /** Default: {@link Device#auto()}. */
    public Builder device(Device device) {
      this.device = Objects.requireNonNull(device, "device");
      return this;
    }

    /**
     * Trains as one of the ranks of {@code communicator}, which stays the caller's to close, after this
     * trainer. All ranks make the same calls with the same data; which rank computes which rows is the
     * engine's business. The parameters have the same bits for any number of ranks.
     */
    public Builder communicator(Communicator communicator) {
      this.communicator = Objects.requireNonNull(communicator, "communicator");
      return this;
    }

    /** How gradients are summed across ranks, by default exactly; the same on every rank. */
    public Builder reduction(Communicator.Reduction reduction) {
      this.reduction = Objects.requireNonNull(reduction, "reduction");
      return this;
    }

    /**
     * Default: {@link Precision#FLOAT32}.
     *
     * @throws IllegalArgumentException from {@link #build} if this is TF32 and the device is the CPU
     */
    public Builder precision(Precision precision) {
      this.precision = Objects.requireNonNull(precision, "precision");
      return this;
    }

    /**
     * Tells {@link Device#auto()} of the work ahead: {@code fit} on {@code rows} rows. Without it, auto goes by the
     * network alone, and takes it that there will be many steps of 32 rows.
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

    /** The same, of a fit on the rows of {@code data}, whose sample weights count too. */
    public Builder expecting(Dataset data, Fit fit) {
      weighted = data.isWeighted();
      return expecting(data.rows(), fit);
    }

    /** Seed of the random parameters, by default 0. Unused when the trainer starts from a model. */
    public Builder seed(long seed) {
      this.seed = seed;
      return this;
    }

    /** Default: {@link Loss#MSE}, or that of the model. */
    public Builder loss(Loss loss) {
      this.loss = Objects.requireNonNull(loss, "loss");
      return this;
    }

    /**
     * Adds an L1 penalty: {@code l1}·sign(θ), the derivative of {@code l1}·Σ|θ|, is added to the mean gradient, before it
     * is clipped. With an optimizer's weight decay, whose derivative follows the clipping, it makes an elastic net. Losses
     * are reported without penalties. Default: 0.
     *
     * @param l1 finite, at least 0
     */
    public Builder l1(double l1) {
      Hyperparameters.requireNonNegative("l1", l1);
      this.l1 = l1;
      return this;
    }

    /**
     * Clips the mean gradient g before the optimizer sees it, as {@code torch.nn.utils.clip_grad_norm_}: g is multiplied
     * by min(1, norm / (‖g‖₂ + 10⁻⁶)), with the norm over all parameters. Default: not clipped.
     *
     * @param norm finite, above 0
     */
    public Builder clipNorm(double norm) {
      Hyperparameters.requirePositive("clip norm", norm);
      this.clipNorm = norm;
      return this;
    }

    /**
     * Keeps every element of the mean gradient within ±{@code value}, as {@code torch.nn.utils.clip_grad_value_}. It
     * excludes {@link #clipNorm}. Default: not clipped.
     *
     * @param value finite, above 0
     */
    public Builder clipValue(double value) {
      Hyperparameters.requirePositive("clip value", value);
      this.clipValue = value;
      return this;
    }

    /**
     * Inverted dropout after every hidden activation while training, as {@code torch.nn.Dropout}: a unit becomes 0 with
     * this probability p, else it is multiplied by 1 / (1 − p). Which ones depends on the seed, the number of steps since
     * the optimizer's state began, the row's number in the batch and the unit's alone, so that it replays anywhere.
     * Default: 0.
     *
     * @param probability in [0, 1)
     * @param seed any
     */
    public Builder dropout(double probability, long seed) {
      Hyperparameters.requireFraction("dropout", probability);
      this.dropout = probability;
      this.dropoutSeed = seed;
      return this;
    }

    /**
     * Whether batches of 8 rows and more go through the one linear map that a network without activations amounts to,
     * from its inputs to its outputs, which is many times less work than its layers one after the other. The gradients of
     * all layers follow from the map's. It is the same training in real numbers, but not the computation that was
     * written down: floats are rounded in other places, and a speed measured with it compares with nothing that runs the
     * layers. A narrow layer between wide ends makes it slower. Predictions and evaluations take the map too. Default:
     * false.
     *
     * @throws IllegalArgumentException from {@link #build} if the network has an activation, with dropout, or on a GPU
     */
    public Builder collapsed(boolean collapsed) {
      this.collapsed = collapsed;
      return this;
    }

    /** What decides the bits beside the network, the optimizer and the fit, by name. */
    private Map<String, String> settings(Device device) {
      Map<String, String> settings = new LinkedHashMap<>();
      boolean cuda = device.engine() == Device.Engine.CUDA;
      boolean fused = cuda || !Native.cpuSimd().equals("baseline");
      settings.put("engine", cuda ? "cuda" : fused ? "cpu" : "cpu without fused multiply-add");
      settings.put("precision", precision.toString());
      settings.put("loss", loss.kind() == Loss.Kind.HUBER ? loss + " of delta " + loss.delta() : loss.toString());
      settings.put("L1 penalty", Double.toString(l1));
      settings.put("clipping", clipNorm > 0 ? "norm " + clipNorm : clipValue > 0 ? "value " + clipValue : "none");
      boolean inFloats = communicator != null && reduction == Communicator.Reduction.FLOAT;
      settings.put("sums", inFloats ? "in floats over " + communicator.worldSize() + " ranks" : "exact");
      settings.put("dropout", dropout > 0 ? dropout + " of seed " + dropoutSeed : "none");
      if (collapsed) {
        settings.put("layers", "collapsed");
      }
      return settings;
    }

    /**
     * Where the trainer will run, and why, without making it.
     *
     * @throws CudaException if a GPU was asked for and cannot be used
     * @throws IllegalArgumentException if a setting is not for the device that was asked for
     */
    public Backends.Choice choice() {
      Placement placement = place();
      return new Backends.Choice(placement.device(), placement.reason());
    }

    /** The first of the settings that the CPU's engine alone has; null where there is none. */
    private String cpuOnly() {
      if (loss.kind() != Loss.Kind.MSE) {
        return "loss " + loss;
      }
      if (l1 > 0) {
        return "an L1 penalty";
      }
      if (clipNorm > 0 || clipValue > 0) {
        return "clipping of gradients";
      }
      if (dropout > 0) {
        return "dropout";
      }
      if (collapsed) {
        return "a collapsed network";
      }
      return weighted ? "sample weights" : null;
    }

    private Placement place() {
      if (collapsed && (network.activation() != Activation.IDENTITY || dropout > 0)) {
        throw new IllegalArgumentException("a network with an activation or dropout does not collapse to a linear map");
      }
      CostModel.Work work =
          fit == null
              ? CostModel.Work.of(network, optimizer)
              : CostModel.Work.of(network, optimizer, rows, fit);
      Placement placement = Placement.of(device, work, cpuOnly());
      if (precision == Precision.TF32 && placement.device().engine() != Device.Engine.CUDA) {
        throw new IllegalArgumentException("TF32 is for a GPU's tensor cores: device cpu has none; use device cuda, or float32");
      }
      if (placement.device().ordinals().length > 1) {
        throw new IllegalArgumentException(
            "device " + placement.device() + ": a trainer runs on one GPU; give each a trainer, with Ranks.onThreads, or a process, with 'ringstep launch'");
      }
      return placement;
    }

    /**
     * Makes the trainer, to be closed by the caller.
     *
     * @throws CudaException if a GPU was asked for and cannot be used
     */
    public Trainer build() {
      if (clipNorm > 0 && clipValue > 0) {
        throw new IllegalArgumentException("a gradient is clipped by norm or by value, not by both");
      }
      if (loss.kind() == Loss.Kind.CROSS_ENTROPY && network.outputs() < 2) {
        throw new IllegalArgumentException(
            "cross-entropy needs an output for each class, at least 2, but network " + network + " has 1");
      }
      return new Trainer(this);
    }
  }
}
