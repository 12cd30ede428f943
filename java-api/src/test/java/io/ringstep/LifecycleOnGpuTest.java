package io.ringstep;

/** {@link LifecycleTest}, on a GPU. */
@OnGpu
class LifecycleOnGpuTest extends LifecycleTest {}
