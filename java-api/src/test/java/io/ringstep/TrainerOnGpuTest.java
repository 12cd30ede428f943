package io.ringstep;

/** {@link TrainerTest}, on a GPU. */
@OnGpu
class TrainerOnGpuTest extends TrainerTest {}
