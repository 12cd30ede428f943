package io.ringstep;

/** {@link OptimizerTest}, on a GPU. */
@OnGpu
class OptimizerOnGpuTest extends OptimizerTest {}
