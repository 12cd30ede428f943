package io.ringstep.cli;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Ordinary least squares in double precision: what is left of the targets once everything that a
 * constant and the inputs explain is taken away, by the modified Gram-Schmidt process.
 */
final class LeastSquares {
  /** A column of which less than this is left adds nothing but rounding errors. */
  private static final double DEPENDENT = 1e-10;

  private LeastSquares() {}

  /**
   * The mean over rows and targets of the squared residual.
   *
   * @param inputs columns, all of one length
   * @param targets columns of that length
   */
  static double meanSquaredError(double[][] inputs, double[][] targets) {
    int rows = targets[0].length;
    List<double[]> basis = new ArrayList<>();
    double[] constant = new double[rows];
    Arrays.fill(constant, 1);
    extend(basis, constant);
    for (double[] input : inputs) {
      extend(basis, input.clone());
    }
    double sum = 0;
    for (double[] target : targets) {
      double[] residual = target.clone();
      subtractProjections(residual, basis);
      sum += dot(residual, residual);
    }
    return sum / ((double) rows * targets.length);
  }

  /** Adds the direction of {@code column} that the basis lacks, at length 1. */
  private static void extend(List<double[]> basis, double[] column) {
    double before = Math.sqrt(dot(column, column));
    subtractProjections(column, basis);
    double after = Math.sqrt(dot(column, column));
    if (after > before * DEPENDENT) {
      for (int i = 0; i < column.length; i++) {
        column[i] /= after;
      }
      basis.add(column);
    }
  }

  private static void subtractProjections(double[] column, List<double[]> basis) {
    for (double[] direction : basis) {
      double length = dot(column, direction);
      for (int i = 0; i < column.length; i++) {
        column[i] -= length * direction[i];
      }
    }
  }

  private static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }
}
