package io.ringstep.cli;

import io.ringstep.FitResult;
import io.ringstep.Model;

/**
 * One model at the end of its training.
 *
 * @param loss mean squared error over the data with the final weights; NaN where it was interrupted
 */
record Trained(Model model, FitResult fit, double loss) {}
