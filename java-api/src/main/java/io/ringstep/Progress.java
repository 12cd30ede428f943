package io.ringstep;

/**
 * How far a {@link Trainer#fit fit} has come.
 *
 * @param epoch whole epochs done
 * @param epochs epochs to do
 * @param steps steps done
 * @param totalSteps steps to do
 * @param loss mean loss of the last whole epoch as it was trained; NaN before the first one ends
 */
public record Progress(int epoch, int epochs, long steps, long totalSteps, double loss) {}
