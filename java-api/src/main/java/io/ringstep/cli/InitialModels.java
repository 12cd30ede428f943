package io.ringstep.cli;

import io.ringstep.Model;
import io.ringstep.internal.ModelFile;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;

/** The models that {@code --init} names. */
final class InitialModels {
  private InitialModels() {}

  /** One for each model to train, all of one network and one standardization; empty without files. */
  static List<Model> read(NetworkOptions options, int count) {
    if (options.init.isEmpty()) {
      return List.of();
    }
    String files = options.init.stream().map(Path::toString).collect(Collectors.joining(","));
    List<Model> models =
        options.init.stream()
            .flatMap(file -> ModelFile.loadAll(file).stream())
            .map(model -> options.activation == null ? model : model.withActivation(options.activation))
            .toList();
    Checks.require(
        models.size() == count,
        files + " holds " + Text.count(models.size(), "model") + ", but --models is " + count
            + "; let them agree");
    requireAlike(models, options, files);
    return models;
  }

  private static void requireAlike(List<Model> models, NetworkOptions options, String files) {
    Model first = models.get(0);
    for (Model model : models) {
      Checks.require(
          model.network().equals(first.network()),
          files + " hold different networks, " + first.network() + " and " + model.network()
              + "; models trained together have one");
      Checks.require(
          model.standardizer().equals(first.standardizer()),
          files + " were trained on differently standardized data; train them one by one");
    }
    if (options.network != null) {
      String wanted = Text.sizes(options.network);
      String found = Text.sizes(first.network());
      Checks.require(
          wanted.equals(found),
          files + " holds network " + found + ", but --network is " + wanted
              + "; leave --network out, or let them agree");
    }
  }
}
