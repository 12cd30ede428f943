package io.ringstep.internal.files;

import static io.ringstep.internal.files.TestFiles.assertRefused;
import static io.ringstep.internal.files.TestFiles.join;
import static io.ringstep.internal.files.TestFiles.values;
import static io.ringstep.internal.files.TestFiles.write;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.ringstep.InvalidDataException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CsvFileTest {
  @TempDir Path directory;
  private Path file;

  @BeforeEach
  void nameFile() {
    file = directory.resolve("data.csv");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "a,b\n1,2\n-3,4.5e1\n",
        "a,b\n1,2\n-3,4.5e1",
        "a,b\r\n1,2\r\n-3,4.5e1\r\n",
        "a,b\r1,2\r-3,4.5e1",
        "\uFEFFa,b\n1,2\n-3,4.5e1\n",
        "a;b\n1;2\n-3;4.5e1\n",
        "a\tb\n1\t2\n-3\t4.5e1\n",
        " a , b \n 1 ,\t2\n -3 , 4.5e1 \n",
        "\"a\",\"b\"\n\"1\",\"2\"\n\"-3\",\"4.5e1\"\n",
        " \"a\" ,\"b\"\n \"1\" ,\" 2 \"\n-3, \"4.5e1\"\n",
        "\na,b\n\n1,2\n\n-3,4.5e1\n\n"
      })
  void readsTables(String text) {
    CsvFile csv = CsvFile.read(write(file, text.getBytes(StandardCharsets.UTF_8)));
    assertEquals(List.of("a", "b"), csv.names());
    assertEquals(2, csv.rows());
    assertArrayEquals(new float[] {1, 2, -3, 45}, values(csv.data()));
    assertTrue(csv.data().isDirect());
  }

  @Test
  void keepsNamesThatNeedQuotes() {
    CsvFile csv =
        CsvFile.read(
            write(
                file,
                "\"x; kg, \"\"net\"\"\nper day\";größe\n1;2\n".getBytes(StandardCharsets.UTF_8)));
    assertEquals(List.of("x; kg, \"net\"\nper day", "größe"), csv.names());
  }

  @Test
  void growsWithItsRows() {
    StringBuilder text = new StringBuilder("a,b,c\n");
    for (int i = 0; i < 50_000; i++) {
      text.append(i).append(",0,").append(-i).append('\n');
    }
    CsvFile csv = CsvFile.read(write(file, text.toString().getBytes(StandardCharsets.UTF_8)));
    assertEquals(50_000, csv.rows());
    assertEquals(49_999, csv.data().get(149_997));
    assertEquals(-49_999, csv.data().get(149_999));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "abc      | 'abc' is not a number; every cell must be a number",
        "``       | the cell is empty",
        "`  `     | the cell is empty",
        "nan      | 'nan' is not finite",
        "NaN      | 'NaN' is not finite",
        "-inf     | '-inf' is not finite",
        "Infinity | 'Infinity' is not finite",
        "1e39     | '1e39' is beyond the range of float32",
        "-9e999999| '-9e999999' is beyond the range of float32",
        "1f       | '1f' is not a number",
        "0x1p3    | '0x1p3' is not a number",
        "\"3,14\" | write decimals with a point",
        "12:30    | '12:30' is not a number"
      })
  void refusesCells(String cell, String problem) {
    var e = refused("a,b,c\n1,2,3\n\n4,5," + cell + "\n", problem);
    assertTrue(e.getMessage().startsWith(file + ":4:3: "), e.getMessage());
    assertEquals(4, e.line());
    assertEquals(3, e.column());
  }

  @Test
  void countsTheLinesInsideQuotes() {
    var e = refused("\"a\nb\",\"c\n\n\"\n1,2\n1,x\n", "'x'");
    assertEquals(6, e.line());
    assertEquals(2, e.column());
  }

  @Test
  void keepsMessagesOnOneShortLine() {
    var e = refused("a,b\n1,\"x\u001b[31m\n" + "y".repeat(1000) + "\"\n", "binary");
    assertTrue(e.getMessage().length() < 300, e.getMessage());
    e = refused("a,b\n1,\"x\n" + "y".repeat(1000) + "\"\n", "'x?yyy", "…' is not a number");
    assertTrue(e.getMessage().length() < 300, e.getMessage());
  }

  @ParameterizedTest
  @CsvSource({
    "'1,2', 3, '2 cells where the header has 3'",
    "'1,2,3,4', 4, '4 cells where the header has 3'"
  })
  void refusesRaggedRows(String row, int column, String problem) {
    var e = refused("a,b,c\n1,2,3\n" + row + "\n", problem);
    assertEquals(3, e.line());
    assertEquals(column, e.column());
  }

  @Test
  void refusesBadHeaders() {
    assertEquals(
        1, refused("1,2.5,-3\n4,5,6\n", "no header", "the first line holds numbers").line());
    assertEquals(2, refused("a,,c\n1,2,3\n", "has no name").column());
    assertEquals(3, refused("a,b, a \n1,2,3\n", "a second column is named 'a'").column());
  }

  @Test
  void refusesTablesWithoutRows() {
    refused("", "is empty");
    refused("\n\n", "is empty");
    refused("\uFEFF", "is empty");
    refused("a,b\n", "no rows after its header");
    refused("a,b", "no rows after its header");
  }

  @Test
  void refusesOtherEncodings() {
    byte[] latin1 = "größe,b\n1,2\n".getBytes(StandardCharsets.ISO_8859_1);
    assertRefused(write(file, latin1), () -> CsvFile.read(file), ":1:1: ", "not UTF-8");
    byte[] inCell =
        join("a,b\n1,".getBytes(StandardCharsets.UTF_8), new byte[] {'2', (byte) 0xff, '\n'});
    assertRefused(write(file, inCell), () -> CsvFile.read(file), ":2:2: ", "not UTF-8");
    byte[] utf16 = "a,b\n1,2\n".getBytes(StandardCharsets.UTF_16);
    assertRefused(write(file, utf16), () -> CsvFile.read(file), "not UTF-8");
  }

  @Test
  void refusesBinaryFiles() {
    refused("a,b\n1,\0\0\n", ":2:2: ", "binary");
    assertRefused(write(file, new byte[10_000]), () -> CsvFile.read(file), "binary");
    write(file, TestFiles.npy(TestFiles.tensor("", TestFiles.range(4), 2, 2)));
    assertRefused(file, () -> CsvFile.read(file));
  }

  @Test
  void refusesBrokenQuotes() {
    refused("a,b\n1,\"2\n3,4\n", ":2:");
    refused("a,b\n1,\"2", ":2:", "not sound CSV");
    refused("a,b\n1,\"2\"3\n");
  }

  @Test
  void refusesCellsWithoutEnd() {
    refused("a" + "a".repeat(20_000_000), "not sound CSV");
  }

  @Test
  void readsPipes() {
    Path device = Path.of("/dev/null");
    assertRefused(device, () -> CsvFile.read(device), "is empty");
  }

  private InvalidDataException refused(String text, String... words) {
    write(file, text.getBytes(StandardCharsets.UTF_8));
    return assertRefused(file, () -> CsvFile.read(file), words);
  }
}
