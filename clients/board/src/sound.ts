/** Sound, off until somebody wants it: a low room, wood that slides on wood, a knock at each letter. Made, not loaded. */

/** What can be heard. */
export class Sound {
  #context: AudioContext | undefined;
  #slide: GainNode | undefined;
  #all: GainNode | undefined;

  /** Whether it is on. */
  get on(): boolean {
    return this.#context !== undefined && this.#context.state !== 'suspended' && this.#context.state !== 'closed';
  }

  /** Turn it on or off; browsers allow it only in answer to a press. */
  async toggle(): Promise<boolean> {
    if (this.on) await this.#context!.suspend();
    else await (this.#context ?? this.#begin()).resume();
    return this.on;
  }

  /** The planchette slides, faster or slower, 0–1. */
  moving(speed: number): void {
    if (this.on) this.#slide!.gain.setTargetAtTime(speed * 0.05, this.#context!.currentTime, 0.08);
  }

  /** It stops on a letter. */
  touch(): void {
    if (!this.on) return;
    this.#strike(146.8, 0.5, 0.16);
    this.#strike(587.3, 0.9, 0.035);
  }

  /** The spirit has spoken. */
  toll(): void {
    if (!this.on) return;
    for (const [pitch, loud] of [[110, 0.2], [220.4, 0.1], [331, 0.06], [466, 0.03]] as const) this.#strike(pitch, 3.2, loud);
  }

  #strike(pitch: number, seconds: number, loud: number): void {
    const context = this.#context!;
    const tone = new OscillatorNode(context, { type: 'sine', frequency: pitch });
    const gain = new GainNode(context, { gain: 0 });
    gain.gain.setValueAtTime(0, context.currentTime);
    gain.gain.linearRampToValueAtTime(loud, context.currentTime + 0.008);
    gain.gain.exponentialRampToValueAtTime(0.0001, context.currentTime + seconds);
    tone.connect(gain).connect(this.#all!);
    tone.start();
    tone.stop(context.currentTime + seconds);
  }

  #begin(): AudioContext {
    const context = new AudioContext();
    this.#context = context;
    this.#all = new GainNode(context, { gain: 0.9 });
    this.#all.connect(context.destination);
    const noise = context.createBuffer(1, context.sampleRate * 2, context.sampleRate);
    const samples = noise.getChannelData(0);
    for (let i = 0, last = 0; i < samples.length; i += 1) samples[i] = last = last * 0.92 + (Math.random() * 2 - 1) * 0.3;
    const hiss = new AudioBufferSourceNode(context, { buffer: noise, loop: true });
    this.#slide = new GainNode(context, { gain: 0 });
    hiss.connect(new BiquadFilterNode(context, { type: 'bandpass', frequency: 420, Q: 0.7 })).connect(this.#slide).connect(this.#all);
    hiss.start();
    for (const [frequency, loud] of [[55, 0.03], [82.6, 0.016]] as const) {
      const hum = new OscillatorNode(context, { type: 'sine', frequency });
      hum.connect(new GainNode(context, { gain: loud })).connect(this.#all);
      hum.start();
    }
    return context;
  }
}
