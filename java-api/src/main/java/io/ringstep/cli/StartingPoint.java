package io.ringstep.cli;

import io.ringstep.Activation;
import io.ringstep.Dataset;
import io.ringstep.Loss;
import io.ringstep.Model;
import io.ringstep.Network;
import io.ringstep.Standardizer;
import io.ringstep.Trainer;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * Where training starts.
 *
 * @param network of every model
 * @param sized whether the network's ends were chosen to fit the data
 * @param models the initial models, or empty for random ones
 * @param loss of every model
 */
record StartingPoint(Network network, boolean sized, List<Model> models, Loss loss) {
  private static final Network STANDARD = Network.of(10, 20, 1);

  /** How many targets the call implies, before the data is read. */
  static int outputs(DataOptions data, NetworkOptions options, List<Model> models, Loss loss) {
    return data.targets.isEmpty() ? loss.targets(wanted(options, models).outputs()) : data.targets.size();
  }

  /** The loss that the call asks for. */
  static Loss loss(LossOptions options, List<Model> models) {
    return options.loss(models.isEmpty() ? Loss.MSE : models.get(0).loss());
  }

  /** Settles the network, which must fit the data. */
  static StartingPoint of(NetworkOptions options, List<Model> models, Loss loss, TrainingData data) {
    int inputs = data.rows().inputs();
    int outputs = data.outputs();
    Network network = wanted(options, models);
    if (outputs == 0) {
      // Classes without names: the network says how many there are, and the engine whether the data fits.
      outputs = network.outputs();
    }
    boolean fits = network.inputs() == inputs && network.outputs() == outputs;
    boolean free = options.network == null && models.isEmpty();
    Checks.require(
        loss.kind() != Loss.Kind.CROSS_ENTROPY || !(free || fits) || outputs >= 2,
        data.name() + " has one class alone in its target; cross-entropy needs two or more");
    Network fitting = fits ? network : withEnds(network, inputs, outputs);
    Checks.require(
        fits || free,
        data.name() + " has " + data.widths() + ", but network " + Text.sizes(network) + " takes "
            + network.inputs() + " and gives " + network.outputs() + "; use "
            + (models.isEmpty() ? "--network " : "a model of network ") + Text.sizes(fitting)
            + ", or other data");
    for (Model model : models) {
      requireSameColumns("inputs", model.inputNames(), data.rows().inputNames(), data);
      requireSameColumns("targets", model.targetNames(), data.rows().targetNames(), data);
    }
    return new StartingPoint(fitting, !fits, models, loss);
  }

  /** How the initial models' data was standardized, which the rows then must be too. */
  Optional<Standardizer> standardizer() {
    return models.stream().findFirst().flatMap(Model::standardizer);
  }

  /** A trainer's settings, up to its optimizer and device. */
  Trainer.Builder builder(int model, long seed) {
    return models.isEmpty()
        ? Trainer.builder(network).seed(seed)
        : Trainer.builder(models.get(model));
  }

  /** All settings of model {@code k}'s trainer but the ranks it trains with: what tells where it runs, too. */
  Trainer.Builder trainer(TrainCommand options, int k, Dataset rows) {
    LossOptions shaping = options.loss;
    long seed = options.loop.seed + k;
    Trainer.Builder builder =
        options.loop.place(
                builder(k, seed).loss(loss).optimizer(options.optimizer.optimizer(options.defaults())))
            .l1(shaping.l1)
            .dropout(shaping.dropout, seed)
            .expecting(rows, options.fit(k));
    if (shaping.clipNorm != null) {
      builder.clipNorm(shaping.clipNorm);
    }
    if (shaping.clipValue != null) {
      builder.clipValue(shaping.clipValue);
    }
    return builder;
  }

  /** By position they would be mixed up. */
  private static void requireSameColumns(
      String kind, List<String> known, List<String> names, TrainingData data) {
    Checks.require(
        known.isEmpty() || names.isEmpty() || known.equals(names),
        data.name() + " has the " + kind + " " + String.join(",", names) + ", but the initial model "
            + "was trained on " + String.join(",", known) + "; name and order them alike");
  }

  private static Network wanted(NetworkOptions options, List<Model> models) {
    if (!models.isEmpty()) {
      return models.get(0).network();
    }
    Network network = Objects.requireNonNullElse(options.network, STANDARD);
    return network.withActivation(
        Objects.requireNonNullElse(options.activation, Activation.IDENTITY));
  }

  private static Network withEnds(Network network, int inputs, int outputs) {
    int[] sizes = network.sizes();
    sizes[0] = inputs;
    sizes[sizes.length - 1] = outputs;
    return Network.of(sizes).withActivation(network.activation());
  }
}
