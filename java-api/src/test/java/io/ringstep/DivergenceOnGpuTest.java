package io.ringstep;

/** {@link DivergenceTest}, on a GPU. */
@OnGpu
class DivergenceOnGpuTest extends DivergenceTest {}
