package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The names of devices. */
class DeviceTest {
  @Test
  void namesAreThoseOfTheCommandLine() {
    assertSame(Device.auto(), Device.parse("auto"));
    assertSame(Device.cpu(), Device.parse("CPU"));
    assertEquals("auto", Device.auto().toString());
    assertEquals("cpu", Device.cpu(3).toString());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "cuda | device cuda: this build has no CUDA engine; use auto or cpu",
        "cuda:0,1 | device cuda:0,1: this build has no CUDA engine; use auto or cpu",
        "cuda: | no device 'cuda:'; use auto or cpu",
        "tpu | no device 'tpu'; use auto or cpu"
      })
  void othersAreRefusedWithTheReason(String name, String message) {
    assertEquals(message, assertThrows(IllegalArgumentException.class, () -> Device.parse(name)).getMessage());
  }

  @ParameterizedTest
  @ValueSource(ints = {0, -1})
  void fewerThanOneThreadIsRefused(int threads) {
    assertThrows(IllegalArgumentException.class, () -> Device.cpu(threads));
  }
}
