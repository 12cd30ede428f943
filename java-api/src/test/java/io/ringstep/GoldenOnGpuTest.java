package io.ringstep;

/** {@link GoldenTest}, on a GPU. */
@OnGpu
class GoldenOnGpuTest extends GoldenTest {}
