package io.ringstep.engine;

import org.bytedeco.javacpp.annotation.NoException;
import org.bytedeco.javacpp.annotation.Platform;
import org.bytedeco.javacpp.annotation.Properties;
import org.bytedeco.javacpp.tools.Info;
import org.bytedeco.javacpp.tools.InfoMap;
import org.bytedeco.javacpp.tools.InfoMapper;

/** How JavaCPP turns ringstep.h into the class {@code Engine}. */
@Properties(
    value =
        @Platform(
            value = "linux-x86_64",
            compiler = "cpp17",
            include = "ringstep.h",
            link = "ringstep-engine#",
            library = "jniringstep"),
    target = "io.ringstep.engine.Engine")
@NoException
public class EngineConfig implements InfoMapper {
  @Override
  public void map(InfoMap infoMap) {
    infoMap.put(new Info("RS_API").cppTypes().annotations());
    // Called once a step: addresses as plain numbers save the look-up of three Pointer objects.
    infoMap.put(
        new Info("rs_trainer_step")
            .javaText(
                status(
                    "rs_trainer_step(" + TRAINER + ", " + in("x") + ", " + in("y") + ", long rows)",
                    "rs_trainer_step(rs_trainer trainer, @Const FloatBuffer x, @Const FloatBuffer y, long rows)")));
    infoMap.put(
        new Info("rs_trainer_predict")
            .javaText(
                status(
                    "rs_trainer_predict(" + TRAINER + ", " + in("x") + ", long rows, @Cast(\"float*\") long y)",
                    "rs_trainer_predict(rs_trainer trainer, @Const FloatBuffer x, long rows, FloatBuffer y)")));
  }

  private static final String TRAINER = "@Cast(\"rs_trainer*\") long trainer";

  private static String in(String name) {
    return "@Cast(\"const float*\") long " + name;
  }

  private static String status(String... signatures) {
    StringBuilder text = new StringBuilder();
    for (String signature : signatures) {
      text.append("public static native @Cast(\"rs_status\") int ").append(signature).append(";\n");
    }
    return text.toString();
  }
}
