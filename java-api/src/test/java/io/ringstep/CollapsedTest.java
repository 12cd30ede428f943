package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Networks without activations computed as one linear map; the gradient itself is tested against float64 in native/test. */
class CollapsedTest {
  private static final Network NETWORK = Network.of(10, 20, 1);

  static List<GoldenCase> linear() throws Exception {
    List<GoldenCase> cases =
        GoldenCase.all().stream()
            .filter(golden -> golden.init().network().activation() == Activation.IDENTITY && golden.batch() >= 8)
            .toList();
    assertTrue(cases.size() >= 2, "too few golden cases are linear and of batches");
    return cases;
  }

  @ParameterizedTest
  @MethodSource("linear")
  void agreesWithPyTorch(GoldenCase golden) {
    try (Dataset data = golden.data();
        Trainer trainer = Trainer.builder(golden.init()).optimizer(golden.optimizer()).collapsed(true).build()) {
      assertEquals("collapsed", trainer.path(golden.batch()));

      trainer.fit(data, Fit.epochs(golden.epochs()).batch(golden.batch()));

      golden.assertAgrees(trainer.parameters());
    }
  }

  @Test
  void predictsAndEvaluatesWhatItsLayersSay() {
    Rows rows = Rows.random(1, 1000, NETWORK);
    try (Dataset data = rows.dataset();
        Trainer written = Trainer.builder(NETWORK).device(Device.cpu()).seed(1).build();
        Trainer collapsed = Trainer.builder(NETWORK).device(Device.cpu()).seed(1).collapsed(true).build()) {
      assertEquals(written.evaluate(data), collapsed.evaluate(data), 1e-6 * written.evaluate(data));
      assertArrayEquals(written.predict(rows.x()), collapsed.predict(rows.x()), 1e-5f);
    }
  }

  @Test
  void oneRowGoesThroughTheLayers() {
    try (Trainer trainer = Trainer.builder(NETWORK).device(Device.cpu()).collapsed(true).build()) {
      assertEquals("small-network", trainer.path(1));
    }
  }

  @Test
  void whatDoesNotCollapseIsRefused() {
    Trainer.Builder tanh = Trainer.builder(NETWORK.withActivation(Activation.TANH)).device(Device.cpu()).collapsed(true);
    Trainer.Builder dropout = Trainer.builder(NETWORK).device(Device.cpu()).dropout(0.5, 1).collapsed(true);
    for (Trainer.Builder builder : List.of(tanh, dropout)) {
      assertEquals(
          "a network with an activation or dropout does not collapse to a linear map",
          assertThrows(IllegalArgumentException.class, builder::build).getMessage());
    }
  }
}
