package io.ringstep.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.ringstep.Loss;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine;

/** Which models {@code train} trains side by side, where they run on a GPU and elsewhere. */
class SideBySideTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          --models 1 --device cpu                                               | false
          --models 3 --device cpu --network 10,64,1 --validation-split 0.2      | true
          --models 3 --device cuda                                              | true
          --models 3 --device cuda --validation-split 0.2 --ema 0.9             | true
          --models 3 --device cuda --folds 3                                    | true
          --models 3 --device cuda --network 10,64,1                            | false
          --models 3 --device cuda --network 10,64,1 --exchange average:5       | true
          --models 3 --device cuda --loss mae                                   | false
          --models 3 --device cuda --dropout 0.1                                | false
          --models 3 --device cuda:0,1                                          | false
          """)
  void whereAGpusEnsemblesHaveAllThatIsAskedFor(String arguments, boolean together) throws IOException {
    TrainCommand options = new TrainCommand();
    Converters.register(new CommandLine(options)).parseArgs(arguments.split(" +"));
    Loss loss = StartingPoint.loss(options.loss, List.of());
    int targets = StartingPoint.outputs(options.data, options.network, List.of(), loss);
    try (TrainingData data = TrainingData.read(options, loss, targets, List.of())) {
      StartingPoint start = StartingPoint.of(options.network, List.of(), loss, data);
      data.prepare(options, start.standardizer());

      assertEquals(together, Ensemble.trainsTogether(options, start, data, Optional.empty()));
    }
  }
}
