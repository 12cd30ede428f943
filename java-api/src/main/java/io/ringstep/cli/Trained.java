package io.ringstep.cli;

import io.ringstep.FitResult;
import io.ringstep.Model;

/**
 * One model at the end of its training.
 *
 * @param loss mean loss over the rows of training with the final weights; NaN where it was interrupted
 * @param validationLoss likewise over those of validation; NaN where there are none
 */
record Trained(Model model, FitResult fit, double loss, double validationLoss) {}
