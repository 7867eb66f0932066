/** The networks as the literature writes them. */
import type { Translator } from "./i18n/translator.ts";

const ARCHITECTURES: Record<string, string> = {
  densenet: "DenseNet",
  faster_rcnn: "Faster R-CNN",
  resnet: "ResNet",
  resunet: "ResUNet",
  unet: "U-Net",
  xception: "Xception",
  yolov3: "YOLOv3",
  yolov5: "YOLOv5",
};

/** Of a model or of a method that fuses models. One that is not known here keeps its name, without the task. */
export function modelName(translator: Translator, name: string): string {
  const short = name.replace(/^(detect|classify|segment)_/, "");
  return Object.hasOwn(ARCHITECTURES, short) ? ARCHITECTURES[short]! : translator.term(short);
}
