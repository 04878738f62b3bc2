/** A story of about a minute, long enough to be interrupted. */
export const story = [
  "Once upon a time there was a lighthouse at the end of a long grey pier.",
  "The keeper was an old woman called Martha, and she had a dog named Button.",
  "Every evening Martha climbed two hundred steps, and Button climbed them twice, because he always forgot something.",
  "One night a fog came in, so thick that the lamp could not be seen from the beach.",
  "Out at sea a small boat was looking for the harbour.",
  "Martha rang the bell, but the fog swallowed the sound.",
  "So Button ran to the end of the pier and began to bark.",
  "He barked at the fog, he barked at the waves, and he barked at a very surprised seagull.",
  "Far away, the captain of the boat put a hand to his ear.",
  "That is no bell, he said, but where there is a dog there must be land.",
  "Slowly he turned the boat and followed the barking, all the way to the pier.",
  "When the rope was tied, he bent down and shook the dog by the paw.",
  "From that night on there were two lights on the pier.",
  "One of them shone, and the other one barked.",
  "And whenever the fog came in, Button climbed the steps only once, because he had not forgotten anything at all.",
  "That is the end of the story.",
].join(" ");
