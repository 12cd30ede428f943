package io.ringstep;

/** {@link DeterminismTest}, on a GPU. */
@OnGpu
class DeterminismOnGpuTest extends DeterminismTest {}
