package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What {@code auto} chooses for which work, without a GPU having to be there. */
class PlacementTest {
  private static final Network SEED = Network.of(10, 20, 1);

  @Test
  void aTinyModelAtBatch1BelongsOnTheCpuHoweverLongItTrains() {
    AtomicInteger asked = new AtomicInteger();
    for (int epochs : new int[] {1, 1000, 1_000_000}) {
      CostModel.Work work = CostModel.Work.of(SEED, new Sgd(0.01), 1000, Fit.epochs(epochs).batch(1));
      Placement placement =
          Placement.of(
              Device.auto(),
              work,
              null,
              () -> {
                asked.incrementAndGet();
                return null;
              });
      assertEquals(Device.cpu(), placement.device());
      assertTrue(placement.reason().startsWith("the work is too little for a GPU"), placement.reason());
    }
    assertEquals(0, asked.get(), "nobody looks for a GPU where none is wanted");
  }

  @Test
  void manyPassesOverMuchDataBelongOnAGpu() {
    CostModel.Work work = CostModel.Work.of(SEED, new Adam(0.01), 1 << 24, Fit.epochs(100).batch(1 << 20));

    Placement there = Placement.of(Device.auto(), work, null, () -> null);
    Placement missing = Placement.of(Device.auto(), work, null, () -> "no CUDA driver");

    assertEquals("cuda:0", there.device().toString());
    assertTrue(there.reason().startsWith("the work suits a GPU"), there.reason());
    assertEquals(Device.cpu(), missing.device());
    assertEquals("a GPU would suit the work, but: no CUDA driver", missing.reason());
  }

  /** A context takes as long to make as many short trainings. */
  @Test
  void aShortTrainingOfALargeNetworkStaysOnTheCpu() {
    Network network = Network.of(512, 512, 512, 10);
    Fit brief = Fit.epochs(1).batch(128);
    CostModel.Work little = CostModel.Work.of(network, new Adam(0.01), 256, brief);
    CostModel.Work much = CostModel.Work.of(network, new Adam(0.01), 1_000_000, brief);

    assertEquals(Device.cpu(), Placement.of(Device.auto(), little, null, () -> null).device());
    assertEquals("cuda:0", Placement.of(Device.auto(), much, null, () -> null).device().toString());
  }

  @Test
  void theCpuIsWhereItWasAskedFor() {
    CostModel.Work work = CostModel.Work.of(SEED, new Sgd(0.01), 1 << 24, Fit.epochs(100).batch(1 << 20));

    assertEquals(new Placement(Device.cpu(), ""), Placement.of(Device.cpu(), work, null, () -> null));
  }

  private static Stream<Arguments> settingsOfTheCpu() {
    Network network = Network.of(10, 20, 2);
    Fit fit = Fit.epochs(100).batch(1 << 20);
    return Stream.of(
        Arguments.of("loss cross-entropy", Trainer.builder(network).loss(Loss.CROSS_ENTROPY), fit),
        Arguments.of("an L1 penalty", Trainer.builder(network).l1(0.1), fit),
        Arguments.of("clipping of gradients", Trainer.builder(network).clipNorm(1), fit),
        Arguments.of("clipping of gradients", Trainer.builder(network).clipValue(1), fit),
        Arguments.of("dropout", Trainer.builder(network).dropout(0.1, 1), fit.ema(0.9)));
  }

  @ParameterizedTest
  @MethodSource("settingsOfTheCpu")
  void whatTheCpuAloneHasGoesThere(String what, Trainer.Builder builder, Fit fit) {
    builder.expecting(1 << 24, fit);
    assertEquals(
        new Backends.Choice(Device.cpu(), "the CUDA engine does not have " + what), builder.device(Device.auto()).choice());
    IllegalArgumentException refusal =
        assertThrows(IllegalArgumentException.class, () -> builder.device(Device.cuda()).choice());
    assertEquals(
        "device cuda:0: the CUDA engine does not have " + what + "; use device cpu or auto", refusal.getMessage());
  }

  @Test
  void weightedRowsGoToTheCpu() {
    Trainer.Builder builder = Trainer.builder(SEED).device(Device.auto());
    try (Dataset data = Dataset.of(new float[30], new float[3], 10, 1);
        Dataset weighted = data.weighted(new float[] {1, 2, 3})) {
      assertEquals(
          "the CUDA engine does not have sample weights", builder.expecting(weighted, Fit.epochs(1)).choice().reason());
      assertTrue(builder.expecting(data, Fit.epochs(1)).choice().reason().startsWith("the work is too little"));
    }
  }

  @Test
  void aSettingOfTheCpuOutweighsMuchWork() {
    CostModel.Work work = CostModel.Work.of(SEED, new Adam(0.01), 1 << 24, Fit.epochs(100).batch(1 << 20));

    assertEquals("cuda:0", Placement.of(Device.auto(), work, null, () -> null).device().toString());
    assertEquals(
        new Placement(Device.cpu(), "the CUDA engine does not have dropout"),
        Placement.of(Device.auto(), work, "dropout", () -> null));
  }

  @Test
  void manyModelsBelongOnAGpuAndFewOnTheCpu() {
    CostModel.Work work = CostModel.Work.of(SEED, new Sgd(0.01), 1000, Fit.epochs(1000).batch(1));

    Placement many = Placement.of(Device.auto(), work, 4096, null, () -> null);
    Placement few = Placement.of(Device.auto(), work, 2, null, () -> null);
    Placement beyond = Placement.of(Device.auto(), work, 4096, "dropout", () -> null);

    assertEquals("cuda:0", many.device().toString());
    assertEquals(Device.cpu(), few.device());
    assertEquals(Device.cpu(), beyond.device());
    assertEquals("ensembles on a GPU do not have dropout", beyond.reason());
  }

  @Test
  void ensemblesStayOnTheCpuWhereAGpuLacksWhatTheyNeed() {
    Fit fit = Fit.epochs(100_000).batch(1);
    Ensemble.Builder plain = Ensemble.builder(SEED, 4096);
    assertTrue(plain.choice().reason().contains("expecting"), plain.choice().reason());
    assertEquals(Device.cpu(), plain.choice().device());

    Ensemble.Builder l1 = Ensemble.builder(SEED, 4096).l1(0.1).expecting(1000, fit);
    assertTrue(l1.choice().reason().contains("penalties"), l1.choice().reason());
    assertEquals(Optional.of("penalties, clipping and dropout"), l1.beyondGpu());
    Ensemble.Builder adam =
        Ensemble.builder(SEED, 4096).optimizer(new Adam(0.1)).expecting(1000, fit.schedule(Schedule.cosine(0)).ema(0.9));
    assertFalse(adam.choice().reason().contains("do not have"), adam.choice().reason());
    assertEquals(Optional.empty(), adam.beyondGpu());
    Ensemble.Builder deep = Ensemble.builder(Network.of(4, 5, 6, 1), 4096).expecting(1000, fit);
    assertTrue(deep.choice().reason().contains("this network"), deep.choice().reason());
  }
}
