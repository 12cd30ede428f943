package io.ringstep.cli;

import io.ringstep.Activation;
import io.ringstep.Network;
import java.nio.file.Path;
import java.util.List;
import picocli.CommandLine.Option;

/** What to train, and from where. */
final class NetworkOptions {
  @Option(
      names = "--network",
      paramLabel = "SIZES",
      description =
          "Number of inputs, then the width of every Linear layer. Default: that of --init, else"
              + " 10,20,1, with the first and last as the data has them.")
  Network network;

  @Option(
      names = "--activation",
      paramLabel = "identity|relu|tanh|sigmoid",
      description = "Function between the layers. Default: that of --init, else identity.")
  Activation activation;

  @Option(
      names = "--init",
      paramLabel = "FILE[,FILE]",
      split = ",",
      hideParamSyntax = true,
      description =
          "Start from these weights: .safetensors with PyTorch's names (fc1.weight, fc1.bias, ...)."
              + " With --models, one file a model as in a,b, or one in which they are stacked."
              + " Default: random as PyTorch's nn.Linear, from --seed.")
  List<Path> init = List.of();

  void requireValid(int models) {
    Checks.requireFileCount("--init", init, models);
  }
}
