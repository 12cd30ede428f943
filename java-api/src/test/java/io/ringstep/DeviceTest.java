package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

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
        "cuda: | no device 'cuda:'; use auto, cpu, cuda, cuda:N or cuda:0,1",
        "cuda:-1 | no device 'cuda:-1'; use auto, cpu, cuda, cuda:N or cuda:0,1",
        "tpu | no device 'tpu'; use auto, cpu, cuda, cuda:N or cuda:0,1",
        "cuda:1,1 | a GPU is named twice"
      })
  void othersAreRefusedWithTheReason(String name, String message) {
    assertEquals(message, assertThrows(IllegalArgumentException.class, () -> Device.parse(name)).getMessage());
  }

  @ParameterizedTest
  @CsvSource({"cuda,cuda:0", "CUDA:3,cuda:3", "'cuda:0,1','cuda:0,1'"})
  void gpusHaveNumbers(String name, String whole) {
    assertEquals(whole, Device.parse(name).toString());
  }

  @Test
  void gpusWithoutNumbersOrWithNegativeOnesAreRefused() {
    assertThrows(IllegalArgumentException.class, () -> Device.cuda(new int[0]));
    assertThrows(IllegalArgumentException.class, () -> Device.cuda(0, -1));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, -1})
  void fewerThanOneThreadIsRefused(int threads) {
    assertThrows(IllegalArgumentException.class, () -> Device.cpu(threads));
  }

  @Test
  void ranksShareOutTheGpus() {
    Device two = Device.parse("cuda:0,3");
    assertEquals("cuda:0", two.forRank(0).toString());
    assertEquals("cuda:3", two.forRank(1).toString());
    assertEquals("cuda:0", two.forRank(2).toString());
    assertEquals("cuda:1", Device.parse("cuda:1").forRank(5).toString());
    assertEquals("cuda:5", Device.parse("cuda").forRank(5).toString());
    assertEquals("cuda:0", Device.cuda().forRank(5).toString());
    assertTrue(Device.parse("cuda").isAnyGpu() && !Device.cuda().isAnyGpu() && !Device.auto().isAnyGpu());
    assertEquals(Device.cpu(), Device.cpu().forRank(1));
  }
}
