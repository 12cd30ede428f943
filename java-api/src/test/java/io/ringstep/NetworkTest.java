package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

/** Sizes, activation, and the layout of the flat parameter vector. */
class NetworkTest {
  @Test
  void parametersLieAsInPyTorch() {
    assertEquals(
        List.of(
            new Network.Parameter("fc1.weight", List.of(20, 10), 0),
            new Network.Parameter("fc1.bias", List.of(20), 200),
            new Network.Parameter("fc2.weight", List.of(1, 20), 220),
            new Network.Parameter("fc2.bias", List.of(1), 240)),
        Network.of(10, 20, 1).parameters());
    assertEquals(241, Network.of(10, 20, 1).parameterCount());
    assertEquals(200, Network.of(10, 20, 1).parameters().get(0).size());
  }

  @Test
  void widthsAreThoseOfTheEnds() {
    Network network = Network.of(4, 16, 16, 2);
    assertEquals(4, network.inputs());
    assertEquals(2, network.outputs());
  }

  @Test
  void aNetworkIsImmutable() {
    int[] sizes = {2, 3};
    Network network = Network.of(sizes);
    sizes[0] = 9;
    network.sizes()[1] = 9;
    network.withActivation(Activation.TANH);
    assertArrayEquals(new int[] {2, 3}, network.sizes());
    assertEquals(Activation.IDENTITY, network.activation());
  }

  @Test
  void equalSizesAndActivationsMakeEqualNetworks() {
    Network relu = Network.of(2, 3, 1).withActivation(Activation.RELU);
    assertEquals(relu, Network.of(2, 3, 1).withActivation(Activation.RELU));
    assertEquals(relu.hashCode(), Network.of(2, 3, 1).withActivation(Activation.RELU).hashCode());
    assertNotEquals(relu, Network.of(2, 3, 1));
    assertNotEquals(relu, Network.of(2, 3).withActivation(Activation.RELU));
  }

  @Test
  void itsTextIsThatOfTheCommandLine() {
    assertEquals("10,20,1 relu", Network.of(10, 20, 1).withActivation(Activation.RELU).toString());
  }

  @Test
  void sizesThatMakeNoNetworkAreRefused() {
    assertRefused("a network needs at least two sizes, inputs and outputs, but got 10", 10);
    assertRefused("network 10,0,1: every size must be at least 1", 10, 0, 1);
    assertRefused("network -1,1: every size must be at least 1", -1, 1);
    assertRefused("network 100000,100000 has more than 2147483647 parameters", 100_000, 100_000);
    assertRefused("network 4194304,512,1 has more", 4_194_304, 512, 1);
    assertRefused("network 4194305,1: every size must be at most 4194304", 4_194_305, 1);
    assertRefused("network 2147483647,2147483647: every size must be at most", Integer.MAX_VALUE, Integer.MAX_VALUE);
    assertThrows(IllegalArgumentException.class, Network::of);
  }

  private static void assertRefused(String message, int... sizes) {
    var e = assertThrows(IllegalArgumentException.class, () -> Network.of(sizes));
    assertTrue(e.getMessage().startsWith(message), e.getMessage());
  }
}
