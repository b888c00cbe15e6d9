import Link from 'next/link';

export default function NotFound() {
  return (
    <main className="front">
      <h1>Nobody sits here</h1>
      <p>
        Look at the link once more, or <Link href="/">open a séance</Link>.
      </p>
    </main>
  );
}
