package io.ringstep;

/** PyTorch's update formulas in float64: what the engine's optimizers are measured against. */
final class Float64Optimizer {
  private final Optimizer settings;
  private final double[] m;
  private final double[] v;
  private int steps;

  Float64Optimizer(Optimizer settings, int parameterCount) {
    this.settings = settings;
    m = new double[parameterCount];
    v = new double[parameterCount];
  }

  void update(double[] parameters, double[] gradient) {
    steps++;
    for (int i = 0; i < parameters.length; i++) {
      if (settings instanceof Sgd sgd) {
        parameters[i] -= descent(sgd, i, gradient[i] + sgd.weightDecay() * parameters[i]);
      } else if (settings instanceof Adam adam) {
        parameters[i] -= descent(adam, i, gradient[i] + adam.weightDecay() * parameters[i]);
      } else if (settings instanceof AdamW adamW) {
        parameters[i] *= 1 - adamW.learningRate() * adamW.weightDecay();
        parameters[i] -= descent(withoutDecay(adamW), i, gradient[i]);
      }
    }
  }

  private double descent(Sgd sgd, int i, double g) {
    m[i] = steps == 1 ? g : sgd.momentum() * m[i] + g;
    return sgd.learningRate() * (sgd.nesterov() ? g + sgd.momentum() * m[i] : m[i]);
  }

  private double descent(Adam adam, int i, double g) {
    m[i] = adam.beta1() * m[i] + (1 - adam.beta1()) * g;
    v[i] = adam.beta2() * v[i] + (1 - adam.beta2()) * g * g;
    double mean = m[i] / (1 - Math.pow(adam.beta1(), steps));
    double meanSquare = v[i] / (1 - Math.pow(adam.beta2(), steps));
    return adam.learningRate() * mean / (Math.sqrt(meanSquare) + adam.epsilon());
  }

  private static Adam withoutDecay(AdamW adamW) {
    return new Adam(adamW.learningRate(), adamW.beta1(), adamW.beta2(), adamW.epsilon(), 0);
  }
}
