// Everything that computes, for whoever wants it without a page: the tests run this in a bare JavaScript engine.

import { fromBase64, fromFloat16, readSafetensors, utf8Bytes, utf8Text } from "./bytes.js";
import { decode, encode, openTokenizer, pieces, visible } from "./bpe.js";
import { logitsOf, newReading, openModel, softmax, step } from "./model.js";
import {
  activationsOf, continueText, directionOf, encodeVector, logitWeights, openSae, pin, raisesToken, randomNumbers,
  readText, strongestUnits,
} from "./sae.js";

globalThis.core = {
  fromBase64, fromFloat16, readSafetensors, utf8Bytes, utf8Text, decode, encode, openTokenizer, pieces, visible,
  logitsOf, newReading, openModel, softmax, step, activationsOf, continueText, directionOf, encodeVector, logitWeights,
  openSae, pin, raisesToken, randomNumbers, readText, strongestUnits,
};
