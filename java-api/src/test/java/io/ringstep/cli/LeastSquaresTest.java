package io.ringstep.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class LeastSquaresTest {
  @Test
  void leavesNothingOfLinearTargets() {
    double[][] x = {{1, 2, 3, 4}, {5, -1, 2, 8}};
    double[][] y = {{1 + 5 + 7, 2 - 1 + 7, 3 + 2 + 7, 4 + 8 + 7}};
    assertEquals(0, LeastSquares.meanSquaredError(x, y), 1e-25);
  }

  @Test
  void leavesVarianceWhereInputsTellNothing() {
    double[][] x = {{1, -1, 1, -1}};
    double[][] y = {{2, 2, 4, 4}, {0, 0, 0, 0}};
    assertEquals(0.5, LeastSquares.meanSquaredError(x, y), 1e-15);
  }

  @Test
  void ignoresInputsThatDependOnOthers() {
    double[][] x = {{1, 2, 3, 4}, {2, 4, 6, 8}, {9, 9, 9, 9}, {0, 0, 0, 0}};
    double[][] y = {{1, 2, 3, 5}};
    assertEquals((0.04 + 0.01 + 0.16 + 0.09) / 4, LeastSquares.meanSquaredError(x, y), 1e-15);
  }
}
